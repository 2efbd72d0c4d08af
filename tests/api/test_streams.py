"""Attaching to a run's server-sent events, with rows and operations; no model is asked."""

import asyncio
import json
from contextlib import suppress

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.db import OperationalError
from django.utils import timezone

from runs import operations
from runs.api import streaming
from runs.contract import limits
from runs.events.hub import hub
from runs.models import ApiKey, EventChunk
from runs.models.database import in_database
from tests.api.client import error_of
from tests.api.sse import DONE, Frame, Stream, names, readers_are
from tests.api.streaming import short_beat_fixture, thread_fixture, url_of
from tests.factories import make_events, make_run

__all__ = ["short_beat_fixture", "thread_fixture"]


@pytest.fixture
def ended(thread):
    """A completed run with a log of three events, one with an emoji and line ends."""
    run = make_run(thread, "completed")
    make_events(run, ("thread.run.created", {"n": 1}))
    odd = {"text": "a\n\nb\r\n😀\u2028 id: 7"}
    make_events(run, ("thread.message.delta", odd), ("thread.run.completed", {"n": 3}))
    return run


async def attach(api, run, query="", **headers):
    """Attach to a run."""
    return Stream.of(await api.acall("GET", f"{url_of(run)}/stream{query}", **headers))


async def test_attach_to_an_ended_run(api, ended):
    stream = await attach(api, ended)
    assert stream.answer["cache-control"] == "no-cache"
    assert stream.answer["x-accel-buffering"] == "no"
    assert stream.answer["openai-version"] == "2020-10-01"
    assert stream.answer["x-request-id"].startswith("req_")
    frames = await stream.rest()
    assert [(f.name, f.number) for f in frames] == [
        ("thread.run.created", 1),
        ("thread.message.delta", 2),
        ("thread.run.completed", 3),
        ("done", None),
    ]
    assert frames[1].wire == {"text": "a\n\nb\r\n😀\u2028 id: 7"}
    assert frames[-1] == DONE
    assert len(stream.pieces) == 2  # all that is pending in one write
    bodies = EventChunk.objects.filter(run_id=ended.id).order_by("first_number")
    stored = await in_database(lambda: "".join(bodies.values_list("body", flat=True)))
    assert stream.pieces[0] == stored


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ("?after=0", "", [1, 2, 3]),
        ("?after=1", "", [2, 3]),
        ("", "2", [3]),
        ("?after=1", "2", [3]),
        ("", "3", []),
        ("", "4", []),
        ("", "9" * 30, []),
        ("?after=" + "9" * 500, "", []),
        ("?after=", "", [1, 2, 3]),
    ],
)
async def test_attach_past_a_cursor(api, ended, query, header, expected):
    stream = await attach(api, ended, query, Last_Event_ID=header)
    frames = await stream.rest()
    assert [f.number for f in frames[:-1]] == expected
    assert frames[-1] == DONE


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "٣", "1_0", "0x1", " ", "9" * 2000])
async def test_a_cursor_is_a_number(api, ended, given):
    url = f"{url_of(ended)}/stream"
    for answer in (
        await api.acall("GET", f"{url}?after={given}"),
        await api.acall("GET", f"{url}?after={given}", Last_Event_ID="1"),  # though that counts
        await api.acall("GET", f"{url}?after=1", Last_Event_ID="x"),
    ):
        error = error_of(answer, 400)
        assert (error["code"], error["param"]) == ("invalid_value", "after")


async def test_following_is_a_yes_or_a_no(api, ended):
    for given in ("yes", "2", "TRUE"):
        error = error_of(await api.acall("GET", f"{url_of(ended)}/stream?follow={given}"), 400)
        assert (error["code"], error["param"]) == ("invalid_value", "follow")
    for given in ("", "0", "1", "true", "false"):
        stream = await attach(api, ended, f"?follow={given}")
        assert (await stream.rest())[-1] == DONE


async def test_a_cursor_beyond_the_log_waits(api, thread, short_beat):
    run = await in_database(make_run, thread)
    stream = await attach(api, run, Last_Event_ID="1000")
    assert await stream.next() == [": ping"]
    await stream.leave()


async def test_a_reader_with_nothing_to_read_yet_is_answered_at_once(api, thread, monkeypatch):
    """The first bytes carry the head of the answer: some servers send neither before."""
    monkeypatch.setattr(limits, "KEEP_ALIVE_SECONDS", 3600)
    run = await in_database(make_run, thread)
    await in_database(make_events, run, ("thread.run.created", {}))
    stream = await attach(api, run, "?after=1")
    assert await stream.next() == [": ping"]
    await stream.leave()


async def test_a_stream_ends_where_the_run_waits(api, thread):
    run = await in_database(make_run, thread, "requires_action")
    await in_database(make_events, run, ("thread.run.requires_action", {"n": 1}))
    frames = await (await attach(api, run)).rest()
    assert names(frames) == ["run.requires_action", "done"]


async def test_follow_stays_through_a_pause(api, thread, short_beat):
    run = await in_database(make_run, thread, "requires_action")
    await in_database(make_events, run, ("thread.run.requires_action", {"n": 1}))
    stream = await attach(api, run, "?follow=1")
    assert names(await stream.next()) == ["run.requires_action"]
    assert await stream.next() == [": ping"]
    await in_database(operations.cancel_run, run)
    frames = [f for f in await stream.rest() if f != ": ping"]
    assert names(frames) == ["run.step.cancelled", "run.cancelled", "done"]


async def test_a_connection_that_breaks_frees_its_reader(api, thread):
    run = await in_database(make_run, thread)
    await in_database(make_events, run, ("thread.run.created", {}))
    path = f"{url_of(run)}/stream"
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {api.plaintext}".encode()),
        ],
    }
    connection = ApplicationCommunicator(ASGIHandler(), scope)
    await connection.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await connection.receive_output(5)
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    first = await connection.receive_output(5)
    assert first["body"].startswith(b"id: 1\nevent: thread.run.created\n")
    assert hub.readers() == 1
    await connection.send_input({"type": "http.disconnect"})
    async with asyncio.timeout(1):
        await readers_are(0)
    with suppress(asyncio.CancelledError):
        await connection.wait(5)


async def test_many_readers_see_the_same(api, thread):
    run = await in_database(make_run, thread)
    await in_database(make_events, run, ("thread.run.created", {}), ("thread.run.queued", {}))
    streams = [await attach(api, run) for _ in range(5)]
    reading = [asyncio.create_task(stream.rest()) for stream in streams]
    await readers_are(5)
    await in_database(operations.cancel_run, run)
    seen = [await task for task in reading]
    assert names(seen[0]) == ["run.created", "run.queued", "run.cancelled", "done"]
    assert all(frames == seen[0] for frames in seen)


async def test_deleting_the_thread_ends_its_streams(api, thread):
    run = await in_database(make_run, thread, "in_progress")
    stream = await attach(api, run)
    reading = asyncio.create_task(stream.rest())
    await readers_are(1)
    assert (await api.acall("DELETE", f"/v1/threads/{thread.id}")).status_code == 200
    assert names(await reading) == ["run.cancelling", "run.cancelled", "done"]
    answer = await api.acall("GET", f"{url_of(run)}/stream")
    assert error_of(answer, 404)["message"] == f"No thread found with id '{thread.id}'."


async def test_a_revoked_key_ends_its_streams(api, thread, short_beat):
    run = await in_database(make_run, thread)
    stream = await attach(api, run)
    assert await stream.next() == [": ping"]
    await in_database(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
    assert DONE not in await stream.rest()
    assert hub.readers() == 0


def test_a_revoked_key_is_noticed_within_fifteen_seconds():
    """It is looked at with what is sent, once per interval: an event may come a moment before
    the interval is over, and silence for another one after it."""
    assert 2 * limits.KEEP_ALIVE_SECONDS <= 15


async def test_a_revoked_key_ends_a_stream_that_is_never_silent(api, thread, monkeypatch):
    run = await in_database(make_run, thread)
    stream = await attach(api, run)
    monkeypatch.setattr(limits, "KEEP_ALIVE_SECONDS", 0.2)
    await in_database(lambda: ApiKey.objects.update(revoked_at=timezone.now()))

    async def talk():
        while True:
            await in_database(make_events, run, ("thread.message.delta", {}))
            hub.publish(run.id, [])
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    try:
        assert DONE not in await stream.rest()
    finally:
        talking.cancel()
        with suppress(asyncio.CancelledError):
            await talking


async def test_a_key_that_cannot_be_looked_up_now_ends_no_stream(
    api, thread, short_beat, monkeypatch
):
    """The database is away for a while, which a stream outlives."""
    run = await in_database(make_run, thread)
    stream = await attach(api, run)
    asked = asyncio.Event()

    def away(key):
        loop.call_soon_threadsafe(asked.set)
        raise OperationalError("the server closed the connection unexpectedly")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(streaming, "is_live", away)
    reading = asyncio.create_task(stream.rest())
    await asyncio.wait_for(asked.wait(), 10)
    await in_database(operations.cancel_run, run)
    assert names(await reading)[-2:] == ["run.cancelled", "done"]


async def test_a_broken_log_is_an_error_event(api, ended, caplog):
    await in_database(
        lambda: EventChunk.objects.filter(first_number=2).update(body="not a frame\n\n")
    )
    (frame,) = await (await attach(api, ended)).rest()
    assert isinstance(frame, Frame)
    assert (frame.name, frame.number) == ("error", None)
    bare = {
        "message": "The server had an error while processing your request. Sorry about that!",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert json.loads(frame.data) == bare | {"error": bare}
    assert "A stream broke" in caplog.text
    assert "Traceback" in caplog.text
