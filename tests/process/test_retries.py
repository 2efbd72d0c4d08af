"""Fifty calls at once that ask for the same, and calls whose answer was lost in a crash."""

import asyncio
import os
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import REDIS
from tests.live import LiveServer, postgres_database
from tests.process.client import Api, Reader, Wire, path_of
from tests.upstream import Upstream

pytestmark = pytest.mark.process

CROWD = 50
ATTEMPTS = 10  # at most, to kill a server between a commit and its answer
KEY = {"Idempotency-Key": "the same"}
REPLAYED = "Idempotent-Replayed"
ON_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@pytest.fixture(scope="module", params=ON_BOTH)
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a server's database: the server's own file, or a new PostgreSQL one."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield {}
        else:
            url = postgres_database(os.environ["DATABASE_URL"])
            yield {"DATABASE_URL": stack.enter_context(url)}


@pytest.fixture(scope="module")
def shared(upstream: Upstream, database: dict[str, str]) -> Iterator[LiveServer]:
    """One server on that database."""
    with LiveServer(RUNSITE_UPSTREAM_URL=upstream.url, **database) as server:
        yield server


@pytest.fixture
async def api(shared: LiveServer) -> AsyncIterator[Api]:
    """The API of the shared server."""
    async with Api(shared) as api:
        yield api


async def crowd(call: Callable[[int], Awaitable[httpx.Response]]) -> list[httpx.Response]:
    """Fifty calls at once; none may find a busy or a broken server."""
    replies = list(await asyncio.gather(*(call(i) for i in range(CROWD))))
    statuses = Counter(reply.status_code for reply in replies)
    assert set(statuses) <= {200, 400}, statuses
    return replies


def errors(replies: list[httpx.Response]) -> Counter[str]:
    """How often which error was told."""
    return Counter(reply.json()["error"]["message"] for reply in replies if reply.is_error)


def good(replies: list[httpx.Response]) -> list[Wire]:
    """The objects of the good answers."""
    return [reply.json() for reply in replies if reply.is_success]


async def prepare(api: Api, model: str) -> tuple[str, Wire]:
    """The path and the body of a create-run on a new thread."""
    body = await api.prepare(model)
    thread = await api.post("/threads", body["thread"])
    return f"/threads/{thread['id']}/runs", {"assistant_id": body["assistant_id"]}


async def waiting(api: Api) -> tuple[Wire, list[str]]:
    """A run that waits for the outputs of two calls, and their ids."""
    run = await api.wait(await api.run("tools-2-then-text-3"), "requires_action")
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return run, [call["id"] for call in calls]


def outputs(calls: list[str], text: str) -> Wire:
    """The body of a submission."""
    return {"tool_outputs": [{"tool_call_id": call, "output": text} for call in calls]}


async def test_identical_creates_with_a_key(api: Api) -> None:
    path, body = await prepare(api, "text-3")
    replies = await crowd(lambda i: api.http.post(path, json=body, headers=KEY))
    first = replies[0].json()
    assert [reply.json() for reply in replies] == [first] * CROWD
    assert Counter(REPLAYED in reply.headers for reply in replies) == {False: 1, True: CROWD - 1}
    assert [run["id"] for run in (await api.get(path))["data"]] == [first["id"]]
    assert (await api.wait(first, "completed"))["id"] == first["id"]


async def test_identical_streams_with_a_key(api: Api) -> None:
    body = {**await api.prepare("text-5"), "stream": True}
    replies = await crowd(lambda i: api.http.post("/threads/runs", json=body, headers=KEY))
    texts = {reply.text.replace(": ping\n\n", "") for reply in replies}
    assert len(texts) == 1
    assert Counter(REPLAYED in reply.headers for reply in replies) == {False: 1, True: CROWD - 1}
    assert texts.pop().endswith("event: done\ndata: [DONE]\n\n")


async def test_identical_messages_with_a_key(api: Api) -> None:
    """A view of the other kind: one that neither waits nor streams."""
    thread = await api.post("/threads")
    path, body = f"/threads/{thread['id']}/messages", {"role": "user", "content": "Hello"}
    replies = await crowd(lambda i: api.http.post(path, json=body, headers=KEY))
    first = replies[0].json()
    assert [reply.json() for reply in replies] == [first] * CROWD
    assert [message["id"] for message in (await api.get(path))["data"]] == [first["id"]]


async def test_other_bodies_with_the_same_key(api: Api) -> None:
    path, body = await prepare(api, "text-3")

    async def call(i: int) -> httpx.Response:
        metadata = {"metadata": {"n": str(i)}}
        return await api.http.post(path, json=body | metadata, headers=KEY)

    replies = await crowd(call)
    (run,) = good(replies)
    assert [run["id"]] == [found["id"] for found in (await api.get(path))["data"]]
    codes = [reply.json()["error"]["code"] for reply in replies if reply.is_error]
    assert codes == ["idempotency_key_reuse"] * (CROWD - 1)


async def test_creates_without_a_key(api: Api) -> None:
    path, body = await prepare(api, "silent-1")
    replies = await crowd(lambda i: api.http.post(path, json=body))
    (run,) = good(replies)
    thread_id, run_id = run["thread_id"], run["id"]
    told = f"Thread {thread_id} already has an active run {run_id}."
    assert errors(replies) == {told: CROWD - 1}
    assert [found["id"] for found in (await api.get(path))["data"]] == [run_id]
    await api.post(path_of(run) + "/cancel")


async def test_threads_without_a_key(api: Api) -> None:
    """Each is another call."""
    replies = await crowd(lambda i: api.http.post("/threads", json={}))
    assert len({thread["id"] for thread in good(replies)}) == CROWD


@pytest.mark.parametrize("headers", [{}, KEY], ids=["plain", "with a key"])
async def test_identical_submissions(api: Api, headers: dict[str, str]) -> None:
    run, calls = await waiting(api)
    body = outputs(calls, "done")
    path = path_of(run) + "/submit_tool_outputs"
    replies = await crowd(lambda i: api.http.post(path, json=body, headers=headers))
    assert {found["id"] for found in good(replies)} == {run["id"]}
    assert not errors(replies)
    await assert_answered_once(api, run, "done")


async def test_different_submissions(api: Api) -> None:
    run, calls = await waiting(api)
    path = path_of(run) + "/submit_tool_outputs"
    replies = await crowd(lambda i: api.http.post(path, json=outputs(calls, f"output {i}")))
    assert len(good(replies)) == 1
    (winner,) = [i for i, reply in enumerate(replies) if reply.is_success]
    allowed = {
        f'Runs in status "{status}" do not accept tool outputs.'
        for status in ("queued", "in_progress", "completed")
    }
    assert set(errors(replies)) <= allowed
    await assert_answered_once(api, run, f"output {winner}")


async def assert_answered_once(api: Api, run: Wire, text: str) -> None:
    """The outputs are stored, and the run went on one time."""
    await api.wait(run, "completed")
    told = Counter(event.name for event in await api.log(run))
    assert told["thread.run.queued"] == 2  # when it was created, and after its wait
    assert told["thread.run.in_progress"] == 2
    assert told["thread.run.completed"] == 1
    step = next(step for step in await api.steps(run) if step["type"] == "tool_calls")
    found = [call["function"]["output"] for call in step["step_details"]["tool_calls"]]
    assert found == [text, text]


@pytest.mark.parametrize("headers", [{}, KEY], ids=["plain", "with a key"])
@pytest.mark.parametrize("model", ["silent-3", "tools-2-then-text-3"])
async def test_cancels(api: Api, model: str, headers: dict[str, str]) -> None:
    """Of a run that somebody drives, and of one that waits."""
    run = await api.wait(await api.run(model), "in_progress", "requires_action")
    if "tools" in model:
        run = await api.wait(run, "requires_action")
    path = path_of(run) + "/cancel"
    replies = await crowd(lambda i: api.http.post(path, headers=headers))
    first = "cancelled" if "tools" in model else "cancelling"
    if headers:
        assert good(replies) == [good(replies)[0]] * CROWD
        assert good(replies)[0]["status"] == first
    else:
        assert [found["status"] for found in good(replies)] == [first]
        allowed = {f"Cannot cancel run with status '{s}'." for s in ("cancelling", "cancelled")}
        assert set(errors(replies)) <= allowed
    await api.wait(run, "cancelled")
    told = Counter(event.name for event in await api.log(run))
    assert told["thread.run.cancelled"] == 1


@pytest.mark.services
async def test_identical_creates_in_two_processes(upstream: Upstream) -> None:
    """What serialises them is the database, not the process."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres_database(os.environ["DATABASE_URL"]))
        settings = {"RUNSITE_UPSTREAM_URL": upstream.url, "DATABASE_URL": url, "REDIS_URL": REDIS}
        one, two = (stack.enter_context(LiveServer(**settings)) for _ in range(2))
        async with Api(one) as first, Api(two) as second:
            path, body = await prepare(first, "text-3")
            apis = (first, second)
            replies = await crowd(lambda i: apis[i % 2].http.post(path, json=body, headers=KEY))
            ids = {run["id"] for run in good(replies)}
            assert len(ids) == 1
            assert not errors(replies)
            assert {run["id"] for run in (await second.get(path))["data"]} == ids


async def test_a_crash_between_the_commit_and_the_answer(
    mortal: Callable[..., Api], database: dict[str, str]
) -> None:
    """8.5: ``kill -9`` as soon as the row can be seen. The client knows nothing, and asks again.
    It is done until an answer was lost: now and then it is faster than the kill."""
    redis = {"REDIS_URL": REDIS} if database else {}
    api = mortal(**database, **redis)
    replies: list[httpx.Response | None] = []
    while len(replies) < 3 or None not in replies:
        attempt = len(replies)
        assert attempt < ATTEMPTS, "every call was answered before its server was dead"
        key = {"Idempotency-Key": f"attempt {attempt}"}
        path, body = await prepare(api, "text-40x10")
        lost = asyncio.create_task(send(api, path, body, key))
        run_id = await asyncio.to_thread(run_noted, api.server, key["Idempotency-Key"])
        api.server.kill9()
        replies.append(reply := await lost)
        assert reply is None or reply.json()["id"] == run_id
        api.server.start()
        again = await send(api, path, body, key)
        assert again is not None
        assert again.json()["id"] == run_id
        assert again.headers[REPLAYED] == "true"
        run = await api.wait(again.json(), "completed")
        assert [found["id"] for found in (await api.get(path))["data"]] == [run_id]
        streamed = Reader(api, run)
        assert await streamed.attach()
        assert streamed.names[-1] == "thread.run.completed"


async def send(api: Api, path: str, body: Wire, headers: dict[str, str]) -> httpx.Response | None:
    """The answer to a POST; None if the connection was lost."""
    try:
        return await api.http.post(path, json=body, headers=headers)
    except httpx.TransportError:
        return None


def run_noted(server: LiveServer, key: str) -> str:
    """Wait until a run is committed with its key; its id."""
    asked = "SELECT run_id FROM runs_idempotencykey WHERE key = "
    url = server.settings.get("DATABASE_URL")
    deadline = time.monotonic() + 30
    with closing(connect(server)) as database:
        while not (found := database.execute(asked + ("%s" if url else "?"), [key]).fetchall()):
            assert time.monotonic() < deadline, "no run was committed"
    return str(found[0][0])


def connect(server: LiveServer) -> Any:
    """The server's database: every reading sees what is committed then."""
    if url := server.settings.get("DATABASE_URL"):
        return psycopg.connect(url, autocommit=True)
    return sqlite3.connect(server.data_dir / "runsite.sqlite3")
