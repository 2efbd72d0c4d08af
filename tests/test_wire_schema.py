"""Every object and event that leaves the server is valid by the published schema.

The schema is wrong in places: where recorded answers of the original service, or the
product's documented decisions, differ, a correction below says so and why. Corrected
objects are closed: a key that the schema does not know is an error.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runs.api import serializers
from runs.api.streaming import error_frame
from runs.contract.errors import Internal
from runs.contract.status import RunStatus, StepStatus
from runs.models.database import in_database
from tests.api import openapi
from tests.api.client import Api, ok
from tests.api.executing import MODEL, executing
from tests.api.sse import Frame, Stream, one
from tests.factories import (
    WEATHER,
    make_assistant,
    make_message,
    make_project,
    make_run,
    make_step,
    make_thread,
)

SCHEMA = json.loads((Path(__file__).parent / "data" / "assistants-schema.json").read_text())
Schemas = dict[str, Any]

INTEGER_OR_NULL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
LISTS = ("ListAssistantsResponse", "ListMessagesResponse", "ListRunsResponse")
USAGES = ("RunCompletionUsage", "RunStepCompletionUsage")
#: Fields of bodies that are Runsite's own.
OWN_FIELDS = {
    "CreateRunRequest": {"on_active_run", "expires_in", "action_expires_in"},
    "CreateThreadAndRunRequest": {"expires_in", "action_expires_in"},
}
CLOSED = ("AssistantObject", "ThreadObject", "MessageObject", "RunObject", "RunStepObject")


@dataclass(frozen=True)
class Correction:
    """One place where the schema is wrong."""

    reason: str
    apply: Callable[[Schemas], object]


def properties(schemas: Schemas, name: str) -> dict[str, Any]:
    """The properties of a schema."""
    found: dict[str, Any] = schemas[name]["properties"]
    return found


def empty_lists(schemas: Schemas) -> None:
    for name in (*LISTS, "ListRunStepsResponse"):
        for cursor in ("first_id", "last_id"):
            properties(schemas, name)[cursor] = {"type": ["string", "null"]}


def token_caps(schemas: Schemas) -> None:
    for name in ("max_prompt_tokens", "max_completion_tokens"):
        properties(schemas, "RunObject")[name]["anyOf"][0]["minimum"] = 1


def token_details(schemas: Schemas) -> None:
    for name in USAGES:
        usage = schemas[name]["anyOf"][0]
        for part, key in (
            ("prompt_token_details", "cached_tokens"),
            ("completion_tokens_details", "reasoning_tokens"),
        ):
            usage["properties"][part] = {
                "type": "object",
                "properties": {key: {"type": "integer"}},
                "required": [key],
                "additionalProperties": False,
            }
        usage["additionalProperties"] = False


def newer_fields(schemas: Schemas) -> None:
    effort = {"anyOf": [{"$ref": "#/components/schemas/ReasoningEffort"}, {"type": "null"}]}
    for name in ("AssistantObject", "RunObject"):
        properties(schemas, name)["reasoning_effort"] = effort
    resources = properties(schemas, "AssistantObject")["tool_resources"]
    properties(schemas, "RunObject")["tool_resources"] = resources


CORRECTIONS = [
    Correction("first_id and last_id of an empty list are null in recorded answers", empty_lists),
    Correction(
        "a run without instructions has null there in recorded answers",
        lambda s: properties(s, "RunObject").update(instructions={"type": ["string", "null"]}),
    ),
    Correction(
        "steps carry expires_at, the run's, in recorded answers",
        lambda s: properties(s, "RunStepObject").update(expires_at=INTEGER_OR_NULL),
    ),
    Correction("token caps below 256 worked in the original service", token_caps),
    Correction(
        "a run has up to 128 tools, as an assistant",
        lambda s: properties(s, "RunObject")["tools"].update(maxItems=128),
    ),
    Correction("reasoning_effort and tool_resources came later than the schema", newer_fields),
    Correction("usage carries two objects of details in recorded answers", token_details),
    Correction(
        "content_filter is seen as a run's incomplete reason",
        lambda s: properties(s, "RunObject")["incomplete_details"]["anyOf"][0]["properties"][
            "reason"
        ]["enum"].append("content_filter"),
    ),
]


def corrected() -> Schemas:
    """The schemas with all corrections, the main objects closed."""
    schemas: Schemas = copy.deepcopy(SCHEMA["components"]["schemas"])
    for correction in CORRECTIONS:
        correction.apply(schemas)
    for name in CLOSED:
        schemas[name]["additionalProperties"] = False
    return schemas


SCHEMAS = corrected()


def check(name: str, wire: object) -> None:
    """Fail with the reason if ``wire`` is not valid by the schema ``name``, the published one
    or that of our own document."""
    check_published(name, wire)
    openapi.check(name, wire)


def check_published(name: str, wire: object) -> None:
    """Fail with the reason if ``wire`` is not valid by the published schema ``name``."""
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    errors = [
        f"{error.json_path}: {error.message[:300]}"
        for error in Draft202012Validator(root).iter_errors(wire)
    ]
    assert not errors, f"{name}: {errors}\n{json.dumps(wire)[:2000]}"


def check_event(frame: Frame) -> None:
    """Fail if an event is none of the published ones."""
    data = frame.data if frame.name == "done" else frame.wire
    for group in SCHEMAS["AssistantStreamEvent"]["oneOf"]:
        schema = SCHEMAS[group["$ref"].rsplit("/", 1)[1]]
        for kind in schema.get("oneOf", [schema]):
            if kind["properties"]["event"]["enum"] == [frame.name]:
                part = kind["properties"]["data"]
                if "$ref" in part:
                    check_published(part["$ref"].rsplit("/", 1)[1], data)
                else:
                    assert data in part["enum"]
                number = {} if frame.number is None else {"id": str(frame.number)}
                whole = {"event": frame.name, "data": frame.data} | number
                openapi.check("AssistantStreamEvent", whole)
                return
    pytest.fail(f"no event of the API: {frame.name}")


@pytest.fixture
def api(transactional_db) -> Api:
    """A program with a key."""
    return Api(make_project())


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda correction: correction.reason)
def test_each_correction_changes_the_schema(correction):
    schemas = copy.deepcopy(SCHEMA["components"]["schemas"])
    correction.apply(schemas)
    assert schemas != SCHEMA["components"]["schemas"]


def test_the_corrected_schema_is_one():
    Draft202012Validator.check_schema(SCHEMAS)


@pytest.mark.parametrize("status", RunStatus)
def test_runs(api, status):
    thread = make_thread(api.project)
    run = make_run(thread, status, max_prompt_tokens=1, instructions=None)
    url = f"/v1/threads/{thread.id}/runs"
    check("RunObject", ok(api.get(f"{url}/{run.id}")))
    check("ListRunsResponse", ok(api.get(url)))
    check("ListRunStepsResponse", ok(api.get(f"{url}/{run.id}/steps")))


@pytest.mark.parametrize("reason", ["max_completion_tokens", "max_prompt_tokens", "content_filter"])
def test_incomplete_runs(api, reason):
    run = make_run(make_thread(api.project), "incomplete", incomplete_reason=reason)
    check("RunObject", ok(api.get(f"/v1/threads/{run.thread_id}/runs/{run.id}")))


@pytest.mark.parametrize("type_", ["message_creation", "tool_calls"])
@pytest.mark.parametrize("status", StepStatus)
def test_steps(api, status, type_):
    thread = make_thread(api.project)
    step = make_step(make_run(thread, "in_progress"), type_, status, ["f", "g"])
    url = f"/v1/threads/{thread.id}/runs/{step.run_id}/steps"
    check("RunStepObject", ok(api.get(f"{url}/{step.id}")))
    check("ListRunStepsResponse", ok(api.get(url)))


def test_messages(api):
    thread = make_thread(api.project)
    content = [
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": "file_1"}},
    ]
    attachments = [{"file_id": "file_1", "tools": [{"type": "code_interpreter"}]}]
    body = {"role": "user", "content": content, "attachments": attachments, "metadata": {"a": "b"}}
    url = f"/v1/threads/{thread.id}/messages"
    check("ListMessagesResponse", ok(api.get(url)))
    message = ok(api.post(url, body))
    check("MessageObject", message)
    make_message(thread, role="assistant", status="in_progress", content=[])
    for reason in ("content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"):
        make_message(thread, role="assistant", status="incomplete", incomplete_reason=reason)
    make_message(thread, role="assistant", content=[{"type": "refusal", "refusal": "No."}])
    check("ListMessagesResponse", ok(api.get(url)))
    check("DeleteMessageResponse", ok(api.delete(f"{url}/{message['id']}")))


def test_assistants_and_threads(api):
    check("ListAssistantsResponse", ok(api.get("/v1/assistants")))
    for fields in (
        {},
        {
            "tools": [WEATHER, {"type": "code_interpreter"}, {"type": "file_search"}],
            "response_format": {"type": "json_object"},
            "reasoning_effort": "high",
            "temperature": 0,
        },
    ):
        assistant = ok(api.post("/v1/assistants", {"model": "m", **fields}))
        check("AssistantObject", assistant)
        run = ok(api.post("/v1/threads/runs", {"assistant_id": assistant["id"]}))
        check("RunObject", run)
    check("ListAssistantsResponse", ok(api.get("/v1/assistants")))
    check("DeleteAssistantResponse", ok(api.delete(f"/v1/assistants/{assistant['id']}")))
    check("ThreadObject", ok(api.post("/v1/threads", {"metadata": {"a": "b"}})))
    thread = ok(api.get(f"/v1/threads/{run['thread_id']}"))
    check("ThreadObject", thread)
    check("DeleteThreadResponse", ok(api.delete(f"/v1/threads/{thread['id']}")))


def test_errors(api):
    for answer in (api.get("/v1/threads/thread_x"), api.post("/v1/assistants", {})):
        check("ErrorResponse", answer.json())
    check("ErrorResponse", Internal().body())


def test_the_error_event():
    frame = one(error_frame().removesuffix("\n\n"))
    assert isinstance(frame, Frame)
    check_event(frame)
    check_published("ErrorResponse", frame.wire)  # openai-python raises only for this shape


#: What the demo model is told, and the event with which the stream ends before ``done``.
SCRIPTS = {
    "#say Hello there.": "thread.run.completed",
    "#refuse": "thread.run.completed",
    "#length": "thread.run.incomplete",
    "#filter": "thread.run.incomplete",
    "#fail server_error": "thread.run.failed",
    "#fail invalid_prompt": "thread.run.failed",
    "#parallel 2 #say Done.": "thread.run.requires_action",
}


@pytest.mark.parametrize(("script", "ending"), SCRIPTS.items(), ids=SCRIPTS)
async def test_streams_of_executed_runs(api, script, ending):
    tools = [WEATHER] if "parallel" in script else []
    assistant = await in_database(make_assistant, api.project, model=MODEL, tools=tools)
    thread = {"messages": [{"role": "user", "content": script}]}
    body = {"assistant_id": assistant.id, "thread": thread, "stream": True}
    async with executing():
        stream = Stream.of(await api.acall("POST", "/v1/threads/runs", body))
        frames = await stream.rest()
        assert [frame.name for frame in frames[-2:]] == [ending, "done"]
        run = frames[-2].wire
        if run["required_action"]:
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
            calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in calls]
            stream = Stream.of(
                await api.acall("POST", path, {"tool_outputs": outputs, "stream": True})
            )
            frames += await stream.rest()
            assert frames[-2].name == "thread.run.completed"
    for frame in frames:
        check_event(frame)


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
async def test_streams_of_runs_that_are_ended(api, ending, settings):
    if ending == "expired":
        settings.RUNSITE_RUN_LIFETIME = 1
    assistant = await in_database(make_assistant, api.project, model=MODEL)
    thread = {"messages": [{"role": "user", "content": "#long 1000 #delay 20"}]}
    body = {"assistant_id": assistant.id, "thread": thread, "stream": True}
    async with executing():
        stream = Stream.of(await api.acall("POST", "/v1/threads/runs", body))
        frames: list[Any] = []
        async with asyncio.timeout(10):
            while not any(frame.name == "thread.message.delta" for frame in frames):
                frames += await stream.next()
        if ending == "cancelled":
            run = frames[1].wire
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/cancel"
            check("RunObject", ok(await api.acall("POST", path)))
        frames += await stream.rest()
    closing = ["thread.message.incomplete", f"thread.run.step.{ending}", f"thread.run.{ending}"]
    assert [frame.name for frame in frames[-4:]] == [*closing, "done"]
    assert frames[-4].wire["content"][0]["text"]["value"]
    for frame in frames:
        check_event(frame)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CreateAssistantRequest", serializers.CreateAssistant),
        ("ModifyAssistantRequest", serializers.ModifyAssistant),
        ("CreateThreadRequest", serializers.CreateThread),
        ("ModifyThreadRequest", serializers.ModifyThread),
        ("CreateMessageRequest", serializers.CreateMessage),
        ("ModifyMessageRequest", serializers.ModifyMetadata),
        ("ModifyRunRequest", serializers.ModifyMetadata),
        ("CreateRunRequest", serializers.CreateRun),
        ("CreateThreadAndRunRequest", serializers.CreateThreadAndRun),
        ("SubmitToolOutputsRunRequest", serializers.SubmitToolOutputs),
    ],
)
def test_bodies_have_the_published_fields(name, body):
    schema = SCHEMA["components"]["schemas"][name]
    fields = body().fields
    assert set(fields) == set(schema["properties"]) | OWN_FIELDS.get(name, set())
    required = {field for field, kind in fields.items() if kind.required}
    assert required == set(schema.get("required", ()))
