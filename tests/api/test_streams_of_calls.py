"""Calls that stream: runs created and resumed, as server-sent events; no model is asked."""

import asyncio

import pytest

from runs import operations
from runs.events.hub import hub
from runs.models import Run
from runs.models.database import in_database
from tests.api.client import error_of
from tests.api.sse import Stream, names, readers_are
from tests.api.streaming import short_beat_fixture, thread_fixture, url_of
from tests.factories import WEATHER, make_assistant, make_events, make_run

__all__ = ["short_beat_fixture", "thread_fixture"]


@pytest.fixture
def assistant(api):
    """An assistant of the caller, with a function."""
    return make_assistant(api.project, tools=[WEATHER])


async def test_create_with_stream(api, thread, assistant, short_beat):
    body = {"assistant_id": assistant.id, "stream": True}
    path = f"/v1/threads/{thread.id}/runs"
    stream = Stream.of(await api.acall("POST", path, body))
    frames = await stream.next()
    assert names(frames) == ["run.created", "run.queued"]
    assert [frame.number for frame in frames] == [1, 2]
    assert {frame.wire["status"] for frame in frames} == {"queued"}
    assert await stream.next() == [": ping"]
    run = await in_database(Run.objects.get)
    assert frames[0].wire["id"] == run.id
    await in_database(operations.cancel_run, run)
    frames = [f for f in await stream.rest() if f != ": ping"]
    assert names(frames) == ["run.cancelled", "done"]


async def test_create_thread_and_run_with_stream(api, assistant):
    body = {"assistant_id": assistant.id, "stream": True, "thread": {"metadata": {"a": "b"}}}
    stream = Stream.of(await api.acall("POST", "/threads/runs", body))
    frames = await stream.next()
    assert names(frames) == ["created", "run.created", "run.queued"]
    assert frames[0].wire["object"] == "thread"
    assert frames[0].wire["metadata"] == {"a": "b"}
    await stream.leave()


async def test_submit_with_stream(api, thread):
    run = await in_database(make_run, thread, "requires_action")
    await in_database(make_events, run, ("thread.run.created", {}), ("thread.run.queued", {}))
    call = await in_database(run.tool_calls.get)
    body = {"tool_outputs": [{"tool_call_id": call.id, "output": "sunny"}], "stream": True}
    path = f"{url_of(run)}/submit_tool_outputs"
    streams = [Stream.of(await api.acall("POST", path, body)) for _ in range(2)]
    for stream in streams:  # a repeated call attaches to what the first one began
        frames = await stream.next()
        assert names(frames) == ["run.step.completed", "run.queued"]
        assert frames[0].number == 3
        (done,) = frames[0].wire["step_details"]["tool_calls"]
        assert done["function"]["output"] == "sunny"
    await in_database(lambda: operations.cancel_run(Run.objects.get()))
    for stream in streams:
        assert names(await stream.rest()) == ["run.cancelled", "done"]


async def test_errors_before_the_first_event_are_json(api, thread, assistant):
    path = f"/v1/threads/{thread.id}/runs"
    body = {"assistant_id": assistant.id, "stream": True, "temperature": 3}
    error_of(await api.acall("POST", path, body), 400)
    error_of(await api.acall("POST", path, {"assistant_id": "asst_x", "stream": True}), 404)
    error_of(await api.acall("POST", path, body, Authorization=""), 401)
    run = await in_database(make_run, thread)
    body = {"assistant_id": assistant.id, "stream": True}
    assert run.id in error_of(await api.acall("POST", path, body), 400)["message"]


async def test_a_reader_that_leaves_changes_nothing(api, thread, assistant):
    body = {"assistant_id": assistant.id, "stream": True}
    stream = Stream.of(await api.acall("POST", f"/v1/threads/{thread.id}/runs", body))
    await stream.next()
    assert hub.readers() == 1
    await stream.leave()
    async with asyncio.timeout(1):
        await readers_are(0)
    assert (await in_database(Run.objects.get)).status == "queued"
