"""Where a reader's stream ends: at a pause, with a cancelled wait, with a deletion."""

import asyncio
from contextlib import aclosing
from threading import Event as Flag

import pytest
from django.db import InterfaceError, OperationalError

from runs import operations
from runs.contract.status import RunStatus
from runs.events import follow as follow_module
from runs.events import hub as hub_module
from runs.events import log
from runs.events.follow import follow
from runs.events.hub import hub
from runs.models import RunStep
from runs.models.database import in_database
from tests.events.reading import (
    DELTA,
    END,
    NEVER,
    PAUSE,
    SECONDS,
    Reading,
    driven,
    numbers,
    rest,
    say,
    until,
)
from tests.factories import make_events, make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_looks")]


def told(run_id):
    """The numbers in the log."""
    page = log.read_after(run_id, 0, chunks=10_000)
    return [event.number for event in page.events]


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


@pytest.mark.parametrize("late", [0, 1, 101])
async def test_a_reader_that_was_slow_is_told_of_the_deletion_too(monkeypatch, late):
    """More waits for it than may, so it is to read the log, which is not there any more. What its
    driver still delivers, ``late``, is of a lost attempt."""
    monkeypatch.setattr(hub_module, "BOUND", 100)
    monkeypatch.setattr(follow_module, "LAST_WORDS_SECONDS", 0.2)
    run = await in_database(driven)
    await in_database(say, run, 1)
    got = []
    async with aclosing(follow(run.id)) as stream:
        got += await anext(stream)
        say(run, 100, commit=False)
        await in_database(lambda: operations.delete_thread(run.thread))
        say(run, late, commit=False)
        async for events in stream:
            got += events
    assert got[-1].name == "thread.run.cancelled"
    assert [event.number for event in got] == sorted({event.number for event in got})


async def test_a_thread_that_is_deleted_before_the_first_look(monkeypatch):
    """What was told meanwhile is all there is."""
    run = await in_database(driven)
    read_after = log.read_after

    def too_late(run_id, after):
        operations.delete_thread(run.thread)
        return read_after(run_id, after)

    monkeypatch.setattr(log, "read_after", too_late)
    got = []
    async with asyncio.timeout(SECONDS):
        async for events in follow(run.id):
            got += events
    assert [event.name for event in got] == ["thread.run.cancelling", "thread.run.cancelled"]


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


async def test_a_stream_of_a_cancelled_wait_ends():
    """Nobody holds a waiting run: whoever cancels it writes the events."""
    run = await in_database(make_run, status=RunStatus.REQUIRES_ACTION)
    reading = asyncio.create_task(numbers(run.id, through_pauses=True))
    while not hub.readers():
        await asyncio.sleep(0)
    await in_database(operations.cancel_run, run)
    assert await reading == await in_database(told, run.id) == [1, 2]
    assert await in_database(RunStep.objects.get) is not None


@pytest.fixture
def broken(monkeypatch):
    """A database that does not answer readers while its list is not empty."""
    faults, read_after = [], log.read_after

    def failing(*args):
        if faults:
            raise faults[0]
        return read_after(*args)

    monkeypatch.setattr(log, "read_after", failing)
    return faults


async def test_a_reader_outlives_a_database_that_is_away_for_a_while(broken):
    run = await in_database(driven)
    await in_database(say, run, 3)
    broken.append(OperationalError("the server closed the connection unexpectedly"))
    reading = Reading(run.id)
    await asyncio.sleep(0.3)
    assert reading.got == []
    broken.clear()
    await reading.has(1, 2, 3)
    broken.append(InterfaceError("the connection is closed"))
    await in_database(say, run, 2)
    await in_database(rest, run, RunStatus.COMPLETED, END)
    broken.clear()
    await reading.end()
    assert reading.got == list(range(1, 7))


async def test_a_database_that_stays_away_ends_its_readers(broken, monkeypatch):
    monkeypatch.setattr(follow_module, "OUTAGE_SECONDS", 0.2)
    run = await in_database(driven)
    broken.append(OperationalError("no route to host"))
    with pytest.raises(OperationalError):
        await asyncio.wait_for(numbers(run.id), 10)
