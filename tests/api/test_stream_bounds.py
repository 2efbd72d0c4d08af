"""No more streams than may be open, of a key and of a process; what is refused has done nothing."""

import asyncio
import gc
import threading

import pytest
from django.core.handlers.asgi import ASGIHandler

from runs import operations
from runs.api import slots
from runs.models import IdempotencyKey, Message, Run, Thread, ToolCall
from runs.models.database import in_database
from tests.api.client import Api, error_of
from tests.api.sse import SECONDS, Stream
from tests.api.streaming import thread_fixture, url_of
from tests.factories import make_assistant, make_key, make_run, make_thread

__all__ = ["thread_fixture"]


@pytest.fixture(autouse=True)
def all_slots_are_free():
    """Before and after each test."""
    assert slots.taken.total() == 0
    yield
    gc.collect()
    assert slots.taken.total() == 0


@pytest.fixture
def one_per_key(settings):
    """A key may have one stream."""
    settings.RUNSITE_STREAMS_PER_KEY = 1


async def until(condition):
    """Wait until it holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def attach(api, run):
    """A stream of a run that says nothing."""
    return Stream.of(await api.acall("GET", f"{url_of(run)}/stream"))


async def counts():
    """What a call might have stored."""
    kinds = (Thread, Run, Message, IdempotencyKey)
    return await in_database(lambda: [kind.objects.count() for kind in kinds])


async def test_one_more_stream_of_a_key_is_refused(api, thread, settings):
    settings.RUNSITE_STREAMS_PER_KEY = 2
    run = await in_database(make_run, thread)
    open_ones = [await attach(api, run) for _ in range(2)]
    answer = await api.acall("GET", f"{url_of(run)}/stream")
    assert error_of(answer, 429) == {
        "message": "This API key has 2 streams open, as many as it may. Try again once one has "
        "ended.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert answer["retry-after"] == "1"
    assert answer["retry-after-ms"] == "1000"
    assert "x-should-retry" not in answer
    assert (await api.acall("GET", url_of(run))).status_code == 200  # other calls are not counted
    other = Api(api.project, (await in_database(make_key, api.project))[1])
    await (await attach(other, run)).leave()  # nor are other keys
    await open_ones.pop().leave()
    await until(lambda: slots.taken.total() == 1)
    open_ones.append(await attach(api, run))
    for stream in open_ones:
        await stream.leave()


async def test_one_more_stream_of_a_process_is_refused(api, stranger, thread, settings):
    settings.RUNSITE_STREAMS = 1
    run = await in_database(make_run, thread)
    stream = await attach(api, run)
    theirs = await in_database(lambda: make_run(make_thread(stranger.project)))
    error = error_of(await stranger.acall("GET", f"{url_of(theirs)}/stream"), 429)
    assert error["message"] == (
        "The server has as many streams open as it may. Try again in a moment."
    )
    await stream.leave()
    await until(lambda: slots.taken.total() == 0)
    await (await attach(stranger, theirs)).leave()


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "once"}], ids=["plain", "idempotent"])
async def test_a_refused_create_has_created_nothing(api, thread, one_per_key, headers):
    other = await in_database(lambda: make_run(make_thread(api.project)))
    stream = await attach(api, other)
    assistant = await in_database(make_assistant, api.project)
    before = await counts()
    extra = {"additional_messages": [{"role": "user", "content": "Hi"}]}
    body = {"assistant_id": assistant.id, "stream": True}
    calls = [
        (f"/v1/threads/{thread.id}/runs", body | extra),
        ("/v1/threads/runs", body | {"thread": {"messages": extra["additional_messages"]}}),
    ]
    for path, sent in calls:
        error_of(await api.acall("POST", path, sent, **headers), 429)
    assert await counts() == before
    plain = await api.acall("POST", calls[0][0], body | {"stream": False})
    assert plain.status_code == 200
    await api.acall("POST", f"{calls[0][0]}/{plain.json()['id']}/cancel")
    await stream.leave()
    await until(lambda: slots.taken.total() == 0)
    for path, sent in calls:  # the refusal was not kept as the key's answer
        await Stream.of(await api.acall("POST", path, sent, **headers)).leave()
        await until(lambda: slots.taken.total() == 0)


async def test_a_refused_submission_has_stored_nothing(api, thread, one_per_key):
    run = await in_database(make_run, thread, "requires_action")
    call = await in_database(run.tool_calls.get)
    stream = Stream.of(await api.acall("GET", f"{url_of(run)}/stream?follow=1"))
    outputs = {"tool_outputs": [{"tool_call_id": call.id, "output": "Sun"}], "stream": True}
    path = f"{url_of(run)}/submit_tool_outputs"
    error_of(await api.acall("POST", path, outputs), 429)
    assert (await in_database(ToolCall.objects.get)).output is None
    assert (await in_database(Run.objects.get)).status == "requires_action"
    await stream.leave()
    await until(lambda: slots.taken.total() == 0)
    await Stream.of(await api.acall("POST", path, outputs)).leave()
    assert (await in_database(ToolCall.objects.get)).output == "Sun"


async def test_a_repeated_create_is_a_stream_as_well(api, thread, one_per_key):
    assistant = await in_database(make_assistant, api.project)
    path, body = f"/v1/threads/{thread.id}/runs", {"assistant_id": assistant.id, "stream": True}
    first = Stream.of(await api.acall("POST", path, body, Idempotency_Key="once"))
    error_of(await api.acall("POST", path, body, Idempotency_Key="once"), 429)
    await first.leave()
    await until(lambda: slots.taken.total() == 0)
    again = await api.acall("POST", path, body, Idempotency_Key="once")
    assert again["Idempotent-Replayed"] == "true"
    assert slots.taken.total() == 1
    await Stream.of(again).leave()


async def test_a_stream_that_has_ended_is_not_counted(api, thread, one_per_key):
    run = await in_database(make_run, thread, "completed")
    for _ in range(3):
        await (await attach(api, run)).rest()
        assert slots.taken.total() == 0


async def test_a_call_that_fails_is_not_counted(api, thread, one_per_key):
    await in_database(make_run, thread)
    assistant = await in_database(make_assistant, api.project)
    body = {"assistant_id": assistant.id, "stream": True}
    for _ in range(2):
        answer = await api.acall("POST", f"/v1/threads/{thread.id}/runs", body)
        assert "already has an active run" in error_of(answer, 400)["message"]


async def test_a_reader_that_leaves_before_the_first_byte_is_not_counted(api, thread):
    """None of the code that would write to it is ever run."""
    run = await in_database(make_run, thread)
    key = (b"authorization", f"Bearer {api.plaintext}".encode())
    scope = {"type": "http", "method": "GET", "path": f"{url_of(run)}/stream", "query_string": b""}
    scope["headers"] = [key, (b"host", b"localhost")]
    begun = asyncio.Event()
    request = [{"type": "http.request"}]

    async def receive():
        if request:
            return request.pop()
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        assert message["type"] == "http.response.start"
        begun.set()
        await asyncio.Event().wait()  # its connection takes nothing

    gc.disable()  # the slot is free at once, not when garbage happens to be collected
    try:
        await asyncio.wait_for(ASGIHandler()(scope, receive, send), SECONDS)
        assert begun.is_set()
        await until(lambda: slots.taken.total() == 0)
    finally:
        gc.enable()


async def test_a_caller_that_leaves_while_its_run_is_created_is_not_counted(
    api, thread, monkeypatch
):
    """The run is created all the same, and its slot is free at once."""
    begun, go = threading.Event(), threading.Event()
    create = operations.create_run

    def slow(*given):
        begun.set()
        assert go.wait(SECONDS)
        return create(*given)

    monkeypatch.setattr(operations, "create_run", slow)
    assistant = await in_database(make_assistant, api.project)
    body = {"assistant_id": assistant.id, "stream": True}
    call = asyncio.create_task(api.acall("POST", f"/v1/threads/{thread.id}/runs", body))
    await until(begun.is_set)
    assert slots.taken.total() == 1
    call.cancel()
    await asyncio.wait([call])
    assert slots.taken.total() == 0
    go.set()
    async with asyncio.timeout(SECONDS):
        while not await in_database(Run.objects.exists):
            await asyncio.sleep(0.01)
    assert slots.taken.total() == 0


async def test_many_at_once_get_no_more_than_there_are(api, thread, settings):
    settings.RUNSITE_STREAMS_PER_KEY = 5
    run = await in_database(make_run, thread)
    calls = (api.acall("GET", f"{url_of(run)}/stream") for _ in range(20))
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 15
    for answer in answers:
        if answer.status_code == 200:
            await Stream.of(answer).leave()
