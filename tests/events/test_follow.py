"""The reader: every committed event once, in order, whatever the live layer does."""

import asyncio
import json
from contextlib import aclosing
from threading import Event as Flag

import pytest
from django.db import transaction
from django.utils import timezone

from runs import operations
from runs.contract.status import RunStatus
from runs.events import follow as follow_module
from runs.events import hub as hub_module
from runs.events import log
from runs.events.follow import follow
from runs.events.hub import BOUND, hub
from runs.lifecycle import runs as lifecycle
from runs.models import Run, RunStep
from runs.models.database import in_database
from tests.factories import make_events, make_run

pytestmark = pytest.mark.django_db(transaction=True)

DELTA = "thread.message.delta"
END = "thread.run.completed"
PAUSE = "thread.run.requires_action"
SECONDS = 30.0  # longer than anything a test waits for, on any machine
NEVER = 3600.0  # seconds: longer than any test


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 0.02)


def told(run_id):
    """The numbers in the log."""
    page = log.read_after(run_id, 0, chunks=10_000)
    return [event.number for event in page.events]


def say(run, count, publish=True, commit=True):
    """Write ``count`` deltas as a driver would."""
    events = [log.record(run, DELTA, {"n": run.next_number}) for _ in range(count)]
    if publish:
        hub.publish(run.id, events)
    if commit:
        log.append(run, events)
    return events


@transaction.atomic
def rest(run, status, name):
    """Move the run and tell so, in the log and live."""
    lifecycle.move(run, status)
    hub.publish_on_commit(run.id, log.write(run, [(name, {"status": status})]))


async def numbers(run_id, after=0, **options):
    """All numbers a reader gets until its stream ends by itself."""
    return await Reading(run_id, after, **options).end()


class Reading:
    """One who reads a run in a task; ``got`` are the numbers so far."""

    def __init__(self, run_id, after=0, **options):
        self.got = []
        self.task = asyncio.create_task(self.read(follow(run_id, after, **options)))

    async def read(self, stream):
        async for events in stream:
            self.got += [event.number for event in events]

    async def has(self, *expected):
        """Wait until it has got just these."""
        await until(lambda: self.got == list(expected))

    async def end(self):
        """What it got in all."""
        async with asyncio.timeout(SECONDS):
            await self.task
        return self.got


async def until(holds):
    """Wait until ``holds()``."""
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.001)


@pytest.fixture
def found_gone(monkeypatch):
    """Set once a reader has found that its run is not there any more."""
    flag = Flag()
    read_after = log.read_after

    def noted(run_id, after):
        page = read_after(run_id, after)
        if page is None:
            flag.set()
        return page

    monkeypatch.setattr(log, "read_after", noted)
    return flag


def driven():
    return make_run(status=RunStatus.IN_PROGRESS)


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


async def test_a_pause_ends_a_stream():
    run = await in_database(driven)
    reading = asyncio.create_task(numbers(run.id))
    await in_database(say, run, 2)
    await in_database(rest, run, RunStatus.REQUIRES_ACTION, PAUSE)
    assert await reading == [1, 2, 3]


async def test_a_stream_through_pauses_ends_with_the_run():
    run = await in_database(driven)
    got = []
    async with aclosing(follow(run.id, through_pauses=True, beat=0.01)) as stream:
        await in_database(say, run, 1)
        await in_database(rest, run, RunStatus.REQUIRES_ACTION, PAUSE)
        while len(got) < 2:
            got += await anext(stream)
        assert [await anext(stream) for _ in range(3)] == [[], [], []]  # it stays
        await in_database(rest, run, RunStatus.QUEUED, "thread.run.queued")
        await in_database(rest, run, RunStatus.CANCELLED, "thread.run.cancelled")
        async for events in stream:
            got += events
    assert [event.number for event in got] == [1, 2, 3, 4]


async def test_a_run_that_leaves_its_pause_while_the_log_is_read(monkeypatch):
    """Its row still says that it waits; the events read after that say that it goes on."""
    run = await in_database(driven)
    await in_database(rest, run, RunStatus.REQUIRES_ACTION, PAUSE)
    read_after = log.read_after

    def moved_meanwhile(run_id, after):
        monkeypatch.undo()
        before = read_after(run_id, after)
        rest(run, RunStatus.QUEUED, "thread.run.queued")
        page = read_after(run_id, after)
        return log.Page(page.events, page.more, before.status, before.last_number)

    monkeypatch.setattr(log, "read_after", moved_meanwhile)
    reading = Reading(run.id)
    await reading.has(1, 2)
    await in_database(rest, run, RunStatus.CANCELLED, "thread.run.cancelled")
    assert await reading.end() == [1, 2, 3]


async def test_earlier_pauses_are_replayed():
    run = await in_database(driven)
    await in_database(rest, run, RunStatus.REQUIRES_ACTION, PAUSE)
    await in_database(rest, run, RunStatus.QUEUED, "thread.run.queued")
    await in_database(rest, run, RunStatus.CANCELLED, "thread.run.cancelled")
    assert await numbers(run.id) == [1, 2, 3]


async def test_a_pause_at_the_end_of_a_page_is_not_the_end():
    def long_ago():
        run = driven()
        for _ in range(log.CHUNKS_PER_READ - 1):
            make_events(run, (DELTA, {}))
        rest(run, RunStatus.REQUIRES_ACTION, PAUSE)
        rest(run, RunStatus.QUEUED, "thread.run.queued")
        rest(run, RunStatus.CANCELLED, "thread.run.cancelled")
        return run

    run = await in_database(long_ago)
    assert await numbers(run.id) == list(range(1, log.CHUNKS_PER_READ + 3))


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


async def test_deleting_the_thread_ends_its_readers_with_cancelled():
    run = await in_database(driven)
    await in_database(say, run, 2)
    got = []
    async with aclosing(follow(run.id, beat=0.01)) as stream:
        got += await anext(stream)
        shown = say(run, 3, commit=False)  # more than the log will ever have
        got += await anext(stream)
        await in_database(lambda: operations.delete_thread(run.thread))
        async with asyncio.timeout(SECONDS):
            async for events in stream:
                got += events
    assert got[2:5] == shown
    assert [event.name for event in got[5:]] == ["thread.run.cancelling", "thread.run.cancelled"]
    assert [event.number for event in got] == sorted({event.number for event in got})


async def test_a_reader_that_looks_between_the_deletion_and_its_news_is_told_too(
    monkeypatch, found_gone
):
    monkeypatch.setattr(follow_module, "LAST_WORDS_SECONDS", NEVER)
    run = await in_database(driven)
    await in_database(say, run, 1)
    reading = Reading(run.id)
    await reading.has(1)
    await in_database(run.thread.delete)
    await until(found_gone.is_set)
    hub.publish(run.id, [log.Event(1002, 1, "thread.run.cancelled", "{}")])
    assert await reading.end() == [1, 1002]


async def test_a_reader_with_a_gap_is_told_of_the_deletion_too(monkeypatch, found_gone):
    """What it holds already are not the last words."""
    monkeypatch.setattr(follow_module, "LAST_WORDS_SECONDS", NEVER)
    run = await in_database(driven)
    await in_database(say, run, 1)
    reading = Reading(run.id)
    await reading.has(1)
    await in_database(run.thread.delete)
    hub.publish(run.id, [log.Event(4, 3, DELTA, "{}")])  # its forerunners were lost
    await until(found_gone.is_set)
    hub.publish(run.id, [log.Event(1004, 1, "thread.run.cancelled", "{}")])
    assert await reading.end() == [1, 4, 1004]


def test_a_deletion_on_a_busy_machine_may_be_told_late():
    """Half a second from the commit to the news was seen with 60 requests at once."""
    assert follow_module.LAST_WORDS_SECONDS >= 4 * 0.5


async def test_a_deleted_run_ends_its_readers_even_without_news(monkeypatch):
    monkeypatch.setattr(follow_module, "LAST_WORDS_SECONDS", 0.2)
    run = await in_database(driven)
    reading = Reading(run.id)
    await in_database(say, run, 2)
    await reading.has(1, 2)
    await in_database(run.thread.delete)
    assert await reading.end() == [1, 2]


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


async def test_a_stream_of_a_cancelled_wait_ends():
    """Nobody holds a waiting run: whoever cancels it writes the events."""
    run = await in_database(make_run, status=RunStatus.REQUIRES_ACTION)
    reading = asyncio.create_task(numbers(run.id, through_pauses=True))
    while not hub.readers():
        await asyncio.sleep(0)
    await in_database(operations.cancel_run, run)
    assert await reading == await in_database(told, run.id) == [1, 2]
    assert await in_database(RunStep.objects.get) is not None
