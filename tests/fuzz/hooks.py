"""What schemathesis must know besides the description. It loads this in its own environment.

Calls that are right in their path are given objects that exist: an id made up from its pattern
leads to 404, and the rest of the call is never looked at. What follows from another call, by a
link or by an id that it answered, stays as it is.
"""

import functools
import json
import uuid
from pathlib import Path
from typing import Any

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

Ids = dict[str, str]

WEATHER = {"type": "function", "function": {"name": "get_weather"}}
ASSISTANT = {"model": "runsite/demo", "tools": [WEATHER]}  # its runs come to wait for outputs

#: Those after which the object is gone, or is not what it was.
CONSUMING = {
    "deleteAssistant",
    "deleteThread",
    "deleteMessage",
    "createRun",
    "cancelRun",
    "submitToolOuputsToRun",
}
#: Of which objects the cursors of a list are.
CURSORS = {
    "listAssistants": "assistant_id",
    "listThreads": "thread_id",
    "listAllRuns": "run_id",
    "listMessages": "message_id",
    "listRuns": "run_id",
    "listRunSteps": "step_id",
}
#: The objects that each operation is called with, until it has consumed them.
kept: dict[str, Ids] = {}


class Server:
    """The API with the owner's key, as the hooks themselves call it."""

    def __init__(self, url: str):
        self.url = url
        self.session = requests.Session()
        owner = json.loads(Path("keys.json").read_text())["auth"][0]
        self.session.headers.update({h["name"]: h["value"] for h in owner["fixedHeaders"]})

    def get(self, path: str) -> Any:
        """The answer to a GET; None if it is an error."""
        # The header: the answer for a run comes when it rests, or after a few seconds.
        headers = {"X-Stainless-Poll-Helper": "true"}
        answer = self.session.get(self.url + path, headers=headers, timeout=60)
        return answer.json() if answer.status_code == 200 else None

    def post(self, path: str, body: Any) -> Any:
        """The answer to a POST, which must be good."""
        answer = self.session.post(self.url + path, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    @functools.cached_property
    def assistant(self) -> str:
        """The assistant that runs are created with."""
        return str(self.post("/assistants", ASSISTANT)["id"])

    def make(self, names: set[str]) -> Ids:
        """New objects for a path with these ids."""
        if "assistant_id" in names:
            return {"assistant_id": self.post("/assistants", ASSISTANT)["id"]}
        if "run_id" in names:
            run = self.post("/threads/runs", {"assistant_id": self.assistant})
            ids = {"thread_id": run["thread_id"], "run_id": run["id"]}
            self.pending(ids)
            if "step_id" in names:
                steps = self.get("/threads/{thread_id}/runs/{run_id}/steps".format(**ids))
                ids["step_id"] = steps["data"][0]["id"]
            return ids
        ids = {"thread_id": self.post("/threads", {})["id"]}
        if "message_id" in names:
            message = {"role": "user", "content": "Hi"}
            ids["message_id"] = self.post(f"/threads/{ids['thread_id']}/messages", message)["id"]
        return ids

    def pending(self, ids: Ids) -> list[str]:
        """The calls that a run waits for, once it rests; none if there is no such run."""
        for _ in range(10):
            run = self.get("/threads/{thread_id}/runs/{run_id}".format(**ids))
            if run is None or run["status"] not in ("queued", "in_progress", "cancelling"):
                action = run and run["required_action"]
                calls = action["submit_tool_outputs"]["tool_calls"] if action else []
                return [call["id"] for call in calls]
        return []


@functools.cache
def server(url: str) -> Server:
    """The one there is."""
    return Server(url)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make of a made-up call one that gets somewhere."""
    if case.meta is None:
        return
    api = server(case.operation.base_url)
    if "Idempotency-Key" in case.headers and not case.meta.is_negative_at(ParameterLocation.HEADER):
        # A call of its own, not another one's: that is an error.
        case.headers["Idempotency-Key"] = case.headers["Idempotency-Key"][:200] + uuid.uuid4().hex
    if case.query.get("follow") in ("1", "true"):
        case.query["follow"] = "0"  # nobody is there to end the pause
    give_ids(api, case)
    if isinstance(case.body, dict) and not case.meta.is_negative_at(ParameterLocation.BODY):
        give_body(api, case, case.body)
        case.body = with_integers(case.body)


def give_ids(api: Server, case: Any) -> None:
    """Objects that exist, where the ids in the path and the cursors are right but made up."""
    operation = case.operation.definition.raw["operationId"]
    drawn = case.meta.pool_draws and operation not in CONSUMING  # else soon nothing is left
    if drawn or case.meta.phase.name == TestPhase.STATEFUL:
        return
    names = set(case.path_parameters)
    cursor = CURSORS.get(operation)
    if operation not in kept and (names or cursor):
        kept[operation] = api.make(names | ({cursor} if cursor else set()))
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters.update({name: kept[operation][name] for name in names})
    if cursor and not case.meta.is_negative_at(ParameterLocation.QUERY):
        given = {name for name in ("after", "before") if case.query.get(name)}
        case.query.update(dict.fromkeys(given, kept[operation][cursor]))


def give_body(api: Server, case: Any, body: dict[str, Any]) -> None:
    """What a right body must say so that the call is a right one."""
    stateful = case.meta.phase.name == TestPhase.STATEFUL
    if "assistant_id" in body and not stateful:
        body["assistant_id"] = api.assistant
    if stateful and body.get("model"):
        body["model"] = ASSISTANT["model"]  # a model that there is: the run goes on
    if stateful and "stream" in body:
        body["stream"] = False  # links lead on from objects
    if "tool_outputs" in body:
        outputs = body["tool_outputs"] or []
        for call, output in zip(api.pending(case.path_parameters), outputs, strict=False):
            output["tool_call_id"] = call
        body["tool_outputs"] = outputs[:1]


def with_integers(value: Any) -> Any:
    """60 for 60.0: by JSON Schema that is an integer too, and the API refuses it, as the
    original service does. The description says it in words."""
    if isinstance(value, dict):
        return {
            name: item if name in ("temperature", "top_p") else with_integers(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [with_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Forget what was consumed."""
    operation = case.operation.definition.raw["operationId"]
    if operation in CONSUMING and response.status_code == 200:
        kept.pop(operation, None)
