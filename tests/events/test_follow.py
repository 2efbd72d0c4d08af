"""The reader: every committed event once, in order, whatever the live layer does."""

import asyncio
import json
from contextlib import aclosing

import pytest
from django.utils import timezone

from runs.contract.status import RunStatus
from runs.events import follow as follow_module
from runs.events import hub as hub_module
from runs.events import log
from runs.events.follow import follow
from runs.events.hub import BOUND, hub
from runs.lifecycle import runs as lifecycle
from runs.models import Run
from runs.models.database import in_database
from tests.events.reading import (
    DELTA,
    END,
    NEVER,
    PAUSE,
    Reading,
    driven,
    numbers,
    rest,
    say,
    until,
)
from tests.factories import make_events

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_looks")]


@pytest.mark.parametrize("after", [0, 1, 4, 5, 6, 99])
async def test_an_ended_run_is_replayed_from_anywhere(after):
    run = await in_database(driven)
    await in_database(say, run, 5)
    await in_database(rest, run, RunStatus.COMPLETED, END)
    assert await numbers(run.id, after) == list(range(after + 1, 7))


async def test_no_such_run(monkeypatch):
    """Nobody waits for the last words of what never was."""
    monkeypatch.setattr(follow_module, "LAST_WORDS_SECONDS", NEVER)
    assert await numbers("run_nowhere") == []


async def test_events_are_read_before_they_are_committed():
    run = await in_database(driven)
    async with aclosing(follow(run.id, beat=0.01)) as stream:
        assert await anext(stream) == []
        events = say(run, 3, commit=False)
        assert await anext(stream) == events


async def test_a_live_event_wakes_its_reader(monkeypatch):
    """From any thread, at once: the log does not have it, and nobody looks or beats."""
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", NEVER)
    run = await in_database(driven)
    reading = Reading(run.id, beat=NEVER)
    await until(hub.readers)
    for number in range(1, 4):
        await asyncio.to_thread(say, run, 1, True, False)
        await reading.has(*range(1, number + 1))
    reading.task.cancel()


async def test_what_nobody_tells_live_is_found_in_the_log():
    run = await in_database(driven)
    reading = Reading(run.id)
    for number in (2, 4, 6):
        await in_database(say, run, 2, publish=False)
        await reading.has(*range(1, number + 1))
    await in_database(rest, run, RunStatus.COMPLETED, END)
    assert await reading.end() == list(range(1, 8))


async def test_silence_is_filled_with_empty_lists():
    run = await in_database(driven)
    async with aclosing(follow(run.id, beat=0.01)) as stream:
        assert [await anext(stream) for _ in range(3)] == [[], [], []]


async def test_a_reader_that_is_slow_goes_back_to_the_log():
    run = await in_database(driven)
    got = []
    async with aclosing(follow(run.id, beat=0.01)) as stream:
        await anext(stream)
        await in_database(say, run, BOUND + 5)  # nobody reads meanwhile
        await in_database(rest, run, RunStatus.COMPLETED, END)
        async for events in stream:
            got += [event.number for event in events]
    assert got == list(range(1, BOUND + 7))


@pytest.mark.slow
@pytest.mark.parametrize("told_first", [True, False])
async def test_readers_for_whom_one_event_may_wait_get_all_of_them(monkeypatch, told_first):
    """8.18: each time that five come at once, none of them waits for anybody; nor does anybody
    look into the log but those who were sent there. Told before their commit, as a driver does,
    or after it."""
    monkeypatch.setattr(hub_module, "BOUND", 1)
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", NEVER)
    run = await in_database(driven)
    readings = [Reading(run.id, beat=NEVER) for _ in range(10)]
    await until(lambda: hub.readers() == len(readings))
    for count in [1, 5] * 50:
        events = await in_database(say, run, count, told_first)
        if not told_first:
            hub.publish(run.id, events)
    await in_database(rest, run, RunStatus.COMPLETED, END)
    for reading in readings:
        assert await reading.end() == list(range(1, 302))


async def test_a_cursor_beyond_the_end_waits_for_the_jump():
    """What a lost driver had shown: the next one numbers on past it."""
    run = await in_database(driven)
    await in_database(say, run, 3)

    def taken_over():
        Run.objects.filter(id=run.id).update(lease_until=timezone.now())
        mine = lifecycle.claim(Run.objects.get(id=run.id), "next", 5)
        say(mine, 2)
        rest(mine, RunStatus.COMPLETED, END)

    reading = Reading(run.id, after=400)
    await until(hub.readers)
    await in_database(taken_over)
    assert await reading.end() == [1004, 1005, 1006]


async def test_a_cursor_that_was_never_given_out_still_sees_the_end():
    run = await in_database(driven)
    reading = Reading(run.id, after=10**9, beat=0.05)
    await until(hub.readers)
    await in_database(say, run, 3)
    await in_database(rest, run, RunStatus.COMPLETED, END)
    assert await reading.end() == []


async def test_a_rival_of_a_lost_attempt_does_not_win():
    """Two events follow the cursor: the later one is the log's."""
    run = await in_database(driven)
    (first,) = await in_database(say, run, 1)
    lost = log.Event(2, 1, DELTA, '"lost"')

    def taken_over():
        Run.objects.filter(id=run.id).update(lease_until=timezone.now())
        mine = lifecycle.claim(Run.objects.get(id=run.id), "next", 5)
        lifecycle.move(mine, RunStatus.COMPLETED)
        return log.write(mine, [(END, {})])

    got = []
    async with aclosing(follow(run.id, beat=0.01)) as stream:
        got += await anext(stream)
        events = await in_database(taken_over)
        hub.publish(run.id, [*events, lost])  # the lost one comes late
        async for more in stream:
            got += more
    assert got == [first, *events]


@pytest.fixture
async def late(monkeypatch):
    """What the log says comes when this is set, and not before."""
    come = asyncio.Event()

    async def in_database_late(func, *args):
        found = await in_database(func, *args)
        await come.wait()
        return found

    monkeypatch.setattr(follow_module, "in_database", in_database_late)
    monkeypatch.setattr(follow_module, "LOG_SECONDS", 0.01)
    return come


async def test_what_is_live_does_not_wait_for_a_log_that_is_late(late):
    """Nor does the sign that the reader is alive. What nobody told live comes from the log."""
    run = await in_database(driven)
    async with aclosing(follow(run.id, beat=0.1)) as stream:
        assert [await anext(stream) for _ in range(3)] == [[], [], []]
        told = say(run, 2, commit=False)
        assert await anext(stream) == told
        untold = await in_database(say, run, 2, False)
        told = say(run, 2, commit=False)
        assert await anext(stream) == []
        late.set()
        assert await anext(stream) + await anext(stream) == untold + told


async def test_what_the_log_said_late_ends_no_stream_that_has_gone_past_it(late):
    run = await in_database(driven)
    await in_database(rest, run, RunStatus.REQUIRES_ACTION, PAUSE)
    async with aclosing(follow(run.id, beat=0.1)) as stream:
        assert await anext(stream) == []
        paused = log.Event(run.last_number, 0, PAUSE, "{}")
        hub.publish(run.id, [paused, *say(run, 1, publish=False, commit=False)])
        assert len(await anext(stream)) == 2
        await in_database(Run.objects.filter(id=run.id).update, status=RunStatus.QUEUED)
        late.set()
        assert await anext(stream) == []


async def test_who_leaves_leaves_nothing_behind():
    run = await in_database(driven)
    async with aclosing(follow(run.id, beat=0.01)) as stream:
        await anext(stream)
        assert hub.readers() == 1
    assert hub.readers() == 0


async def test_cancelling_a_reader_leaves_nothing_behind():
    run = await in_database(driven)
    reading = asyncio.create_task(numbers(run.id))
    while not hub.readers():
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert hub.readers() == 0


async def test_an_event_is_one_line_to_every_reader():
    """Also to those that take other characters than CR and LF for the end of a line."""
    odd = "a\r\nb\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029😀"
    run = await in_database(driven)
    events = await in_database(make_events, run, (DELTA, {"text": odd}))
    async with aclosing(follow(run.id)) as stream:
        assert await anext(stream) == events
    assert len(events[0].frame().splitlines()) == 4
    assert json.loads(events[0].data) == {"text": odd}


async def test_many_readers_get_the_same():
    run = await in_database(driven)
    readers = [asyncio.create_task(numbers(run.id)) for _ in range(50)]
    for _ in range(5):
        await in_database(say, run, 20)
    await in_database(rest, run, RunStatus.COMPLETED, END)
    assert [await reading for reading in readers] == [list(range(1, 102))] * 50
