"""What belongs to another project is answered exactly as what does not exist.

Every id that a route, a query or a body can hold is tried with an id of another project
and with one that no object has: status, body, header names and number of queries are equal.
"""

import re
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper

from runs.contract.status import RunStatus
from runs.models import Assistant, Message, Run, RunStep, Thread
from tests.api.client import Api, error_of, ok
from tests.api.routes import ON_OBJECTS, RUN, THREAD, make_world, unknown_world

#: (kind of id, method, URL, body): every other place for an id, which stands for ``{foreign}``.
ELSEWHERE: list[tuple[str, str, str, dict[str, Any] | None]] = [
    ("assistant_id", "POST", f"{THREAD}/runs", {"assistant_id": "{foreign}"}),
    ("assistant_id", "POST", "threads/runs", {"assistant_id": "{foreign}"}),
    ("assistant_id", "GET", "assistants?after={foreign}", None),
    ("assistant_id", "GET", "assistants?before={foreign}", None),
    ("message_id", "GET", f"{THREAD}/messages?after={{foreign}}", None),
    ("message_id", "GET", f"{THREAD}/messages?before={{foreign}}", None),
    ("run_id", "GET", f"{THREAD}/messages?run_id={{foreign}}", None),
    ("run_id", "GET", f"{THREAD}/runs?after={{foreign}}", None),
    ("run_id", "GET", f"{THREAD}/runs?before={{foreign}}", None),
    ("run_id", "GET", "runs?after={foreign}", None),
    ("run_id", "GET", "runs?before={foreign}&status=requires_action", None),
    ("thread_id", "GET", "runs?thread_id={foreign}", None),
    ("assistant_id", "GET", "runs?assistant_id={foreign}", None),
    ("thread_id", "GET", "threads?after={foreign}", None),
    ("thread_id", "GET", "threads?before={foreign}&metadata[x]=y", None),
    ("step_id", "GET", f"{RUN}/steps?after={{foreign}}", None),
    ("step_id", "GET", f"{RUN}/steps?before={{foreign}}", None),
    (
        "call_id",
        "POST",
        f"{RUN}/submit_tool_outputs",
        {"tool_outputs": [{"tool_call_id": "{foreign}", "output": "x"}]},
    ),
]


@pytest.fixture
def queries(monkeypatch) -> list[str]:
    """The SQL of all connections, as it comes."""
    seen: list[str] = []
    plain = CursorWrapper.execute

    def execute(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        seen.append(str(sql))
        return plain(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", execute)
    return seen


@pytest.fixture
def mine(api: Api) -> dict[str, str]:
    """Objects of the caller's project; its run waits for outputs of ``call_1``."""
    world = make_world(api.project, RunStatus.REQUIRES_ACTION)
    api.get("/v1/assistants")  # writes when the key was last used: once a minute
    return world


@pytest.fixture
def theirs(stranger: Api) -> dict[str, str]:
    """Objects of another project."""
    return make_world(stranger.project, RunStatus.REQUIRES_ACTION)


def seen_by(
    api: Api, queries: list[str], method: str, path: str, body: Any, unlike: str
) -> tuple[Any, ...]:
    """All that a caller can tell the answer by, with the id it named taken out."""
    queries.clear()
    answer = api.call(method, path, body)
    text = answer.content.decode().replace(unlike, "ID")
    return answer.status_code, text, sorted(name for name, _ in answer.items()), len(queries)


def stored() -> list[Any]:
    """Every row that a call could have touched."""
    kinds = (Assistant, Thread, Message, Run, RunStep)
    return [list(kind.objects.order_by("number").values()) for kind in kinds]


def test_ids_in_paths(api, mine, theirs, queries, subtests):
    nobody = unknown_world()
    before = stored()
    for operation in ON_OBJECTS:
        for name in [name for name in mine if f":{name}>" in operation.route]:
            with subtests.test(f"{operation}: {name}"):
                foreign, unknown = (
                    seen_by(
                        api,
                        queries,
                        operation.method,
                        operation.path(mine | {name: world[name]}),
                        operation.filled(mine),
                        world[name],
                    )
                    for world in (theirs, nobody)
                )
                assert foreign == unknown
                assert foreign[0] == 404
    assert stored() == before


def test_whole_paths(api, mine, theirs, subtests):
    before = stored()
    for operation in ON_OBJECTS:
        with subtests.test(str(operation)):
            path = operation.path(theirs)
            error_of(api.call(operation.method, path, operation.filled(mine)), 404)
    assert stored() == before


def test_ids_elsewhere(api, mine, theirs, queries, subtests):
    Run.objects.get(id=theirs["run_id"]).tool_calls.update(id="call_of_theirs")
    foreign = theirs | {"call_id": "call_of_theirs"}
    unknown = unknown_world() | {"call_id": "call_of_nobody"}
    before = stored()
    for name, method, route, body in ELSEWHERE:
        with subtests.test(f"{method} {route}"):
            url = "/v1/" + route.replace("<str:", "{").replace(">", "}")
            first, second = (
                seen_by(
                    api,
                    queries,
                    method,
                    url.format(**mine, foreign=world[name]),
                    fill(body, world[name]),
                    world[name],
                )
                for world in (foreign, unknown)
            )
            assert first == second
            expected = 400 if name == "call_id" else 404
            filters = re.search(r"\?(run|thread|assistant)_id=", route)
            assert first[0] == (200 if filters else expected)
    assert stored() == before


def fill(value: Any, foreign: str) -> Any:
    """``value`` with the id in its place."""
    if isinstance(value, dict):
        return {key: fill(item, foreign) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, foreign) for item in value]
    return value.replace("{foreign}", foreign) if isinstance(value, str) else value


def test_objects_of_one_thread_are_not_found_under_another(api, mine):
    other = make_world(api.project)
    there = f"/v1/threads/{other['thread_id']}"
    for path, kind, object_id in (
        (f"{there}/runs/{mine['run_id']}", "run", mine["run_id"]),
        (f"{there}/runs/{mine['run_id']}/stream", "run", mine["run_id"]),
        (f"{there}/messages/{mine['message_id']}", "message", mine["message_id"]),
        (f"{there}/runs/{other['run_id']}/steps/{mine['step_id']}", "run step", mine["step_id"]),
    ):
        error = error_of(api.get(path), 404)
        assert error["message"] == f"No {kind} found with id '{object_id}'."


def test_nothing_of_another_project_is_in_a_list(api, mine, theirs):
    canary = "canary-of-theirs"
    Assistant.objects.filter(id=theirs["assistant_id"]).update(name=canary)
    Message.objects.filter(id=theirs["message_id"]).update(metadata={"x": canary})
    Run.objects.update(metadata={"x": canary}, model=canary)
    Thread.objects.update(metadata={"x": canary})
    Run.objects.filter(id=mine["run_id"]).update(metadata={"x": "mine"}, model="mine")
    Thread.objects.filter(id=mine["thread_id"]).update(metadata={"x": "mine"})
    for path in (
        f"runs?metadata[x]={canary}",
        f"runs?model={canary}",
        f"threads?metadata[x]={canary}",
    ):
        assert ok(api.get(f"/v1/{path}"))["data"] == []
    for path in (
        "assistants?limit=100",
        "threads?limit=100&created_after=1",
        "runs?limit=100&status=requires_action,queued&created_after=1",
        f"threads/{mine['thread_id']}/messages?limit=100",
        f"threads/{mine['thread_id']}/runs?limit=100",
        f"threads/{mine['thread_id']}/runs/{mine['run_id']}/steps?limit=100",
    ):
        answer = api.get(f"/v1/{path}")
        assert answer.status_code == 200
        assert len(answer.json()["data"]) == 1
        for hidden in (canary, *theirs.values()):
            assert hidden not in answer.content.decode()
