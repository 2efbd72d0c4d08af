"""Deltas are delivered first and committed in groups: bounded, retried, fenced."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection

from runs.contract.limits import UNFLUSHED_CHARACTERS, UNFLUSHED_EVENTS, UNFLUSHED_SECONDS
from runs.contract.status import RunStatus
from runs.events import flush, log
from runs.events.flush import Buffer, Flusher
from runs.execution import commits
from runs.execution.turn import Turn
from runs.models import EventChunk, Run
from runs.models.database import in_database, in_writer
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = 60.0


def driven(**columns):
    return make_run(status=RunStatus.IN_PROGRESS, **columns)


def buffer_of(run, leased_at=None):
    return Buffer(run, LEASE, time.monotonic() if leased_at is None else leased_at)


def say(run, buffer, count=1):
    """Number deltas and put them where they wait for their commit."""
    events = [log.record(run, "thread.message.delta", {"n": i}) for i in range(count)]
    for event in events:
        buffer.add(event)
    return events


def stored(run):
    return log.read_after(run.id, 0, 1000).events


async def test_one_chunk_per_run_and_flush():
    flusher = Flusher(LEASE)
    runs = [await in_database(driven) for _ in range(5)]
    said = {}
    for run in runs:
        buffer = buffer_of(run)
        said[run.id] = say(run, buffer, 20)
        flusher.notice(buffer)
    await flusher.flush()
    assert await in_database(EventChunk.objects.count) == 5
    for run in runs:
        assert await in_database(stored, run) == said[run.id]
        row = await in_database(Run.objects.get, id=run.id)
        assert (row.next_number, row.last_number) == (21, 20)


async def test_a_flush_renews_the_lease():
    run = await in_database(driven)
    buffer = buffer_of(run, leased_at=time.monotonic() - LEASE - 1)
    before = (await in_database(Run.objects.get, id=run.id)).lease_until
    say(run, buffer)
    assert buffer.full()  # past its lease
    flusher = Flusher(LEASE * 100)
    flusher.notice(buffer)
    await flusher.flush()
    assert (await in_database(Run.objects.get, id=run.id)).lease_until > before
    assert not buffer.full()


async def test_a_renewal_counts_from_before_it_was_asked_for():
    run = await in_database(driven)
    buffer = buffer_of(run)
    say(run, buffer)
    flusher = Flusher(LEASE)
    flusher.notice(buffer)
    before = time.monotonic()
    await flusher.flush()
    assert buffer.lease_until <= before + LEASE + 0.01


async def test_no_more_than_the_bound_is_delivered_without_commit():
    run = await in_database(driven)
    buffer = buffer_of(run)
    say(run, buffer, UNFLUSHED_EVENTS - 1)
    assert not buffer.full()
    say(run, buffer)
    assert buffer.full()
    flusher = Flusher(LEASE)
    flusher.notice(buffer)
    flushing = asyncio.create_task(flusher.flush())
    await asyncio.sleep(0)
    assert buffer.full()  # under way is not committed
    await flushing
    assert not buffer.full()
    assert buffer.changed.is_set()


async def test_no_row_of_the_log_grows_without_end():
    run = await in_database(driven)
    buffer = buffer_of(run)
    buffer.add(log.record(run, "thread.message.delta", {"x": "x" * UNFLUSHED_CHARACTERS}))
    assert buffer.full()
    flusher = Flusher(LEASE)
    flusher.notice(buffer)
    await flusher.flush()
    assert not buffer.full()


async def test_nothing_is_delivered_while_the_oldest_waits_too_long(monkeypatch):
    run = await in_database(driven)
    buffer = buffer_of(run)
    assert not buffer.full()
    say(run, buffer)
    assert not buffer.full()
    buffer.oldest -= UNFLUSHED_SECONDS + 0.1
    assert buffer.full()


async def test_nothing_is_delivered_past_the_lease():
    run = await in_database(driven)
    buffer = buffer_of(run, leased_at=time.monotonic() - LEASE - 0.1)
    assert buffer.full()
    buffer.renewed(time.monotonic())
    assert not buffer.full()


async def test_an_older_renewal_takes_nothing_back():
    run = await in_database(driven)
    buffer = buffer_of(run)
    until = buffer.lease_until
    buffer.renewed(time.monotonic() - 30)
    assert buffer.lease_until == until


FENCES = {
    "taken over": {"epoch": 9},
    "cancelling": {"status": RunStatus.CANCELLING},
    "expired": {"status": RunStatus.EXPIRED},
}


@pytest.mark.parametrize("change", FENCES.values(), ids=FENCES)
async def test_a_run_that_is_not_ours_gets_nothing(change):
    theirs, ours = await in_database(driven), await in_database(driven)
    flusher, buffers = Flusher(LEASE), [buffer_of(theirs), buffer_of(ours)]
    for run, buffer in zip((theirs, ours), buffers, strict=True):
        say(run, buffer, 3)
        flusher.notice(buffer)
    await in_database(Run.objects.filter(id=theirs.id).update, **change)
    await flusher.flush()
    assert await in_database(stored, theirs) == []
    assert len(await in_database(stored, ours)) == 3
    assert [buffer.refused for buffer in buffers] == [True, False]
    assert buffers[0].changed.is_set()
    assert len(await buffers[0].take()) == 3  # a cancelled run's last words are still to be written


async def test_a_batch_tried_again_after_an_unclear_failure_is_stored_once():
    """The commit arrived, its answer did not."""
    run = await in_database(driven)
    buffer = buffer_of(run)
    events = say(run, buffer, 3)
    batch = flush.Batch(run, events)
    for _ in range(2):
        assert (await in_writer(flush.commit, [batch], LEASE)).stored == {run.id}
    assert await in_database(stored, run) == events


async def test_take_waits_for_the_flush_that_is_under_way():
    run = await in_database(driven)
    buffer = buffer_of(run)
    first = say(run, buffer, 2)
    flusher = Flusher(LEASE)
    flusher.notice(buffer)
    flushing = asyncio.create_task(flusher.flush())
    await asyncio.sleep(0)
    second = say(run, buffer, 2)
    assert await buffer.take() == second
    await flushing
    assert await in_database(stored, run) == first


async def test_what_a_refused_flush_held_is_still_there_after_the_next_one():
    """A driver may learn late that it was refused, and have said more meanwhile."""
    run = await in_database(driven)
    flusher, buffer = Flusher(LEASE), buffer_of(run)
    said = say(run, buffer)
    flusher.notice(buffer)
    await in_database(Run.objects.filter(id=run.id).update, status=RunStatus.CANCELLING)
    await flusher.flush()
    said += say(run, buffer)
    flusher.notice(buffer)
    await flusher.flush()
    assert await buffer.take() == said


async def test_deltas_are_gathered_for_a_moment_and_then_committed():
    run = await in_database(driven)
    buffer, flusher = buffer_of(run), Flusher(LEASE)
    flushing = asyncio.create_task(flusher.run())
    for _ in range(10):
        say(run, buffer)
        flusher.notice(buffer)
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while buffer.unflushed():
            await buffer.changed.wait()
            buffer.changed.clear()
    assert await in_database(EventChunk.objects.count) == 1
    flusher.close()
    await asyncio.wait_for(flushing, 5)


async def test_closing_commits_what_waits():
    run = await in_database(driven)
    buffer, flusher = buffer_of(run), Flusher(LEASE)
    flushing = asyncio.create_task(flusher.run())
    events = say(run, buffer, 3)
    flusher.notice(buffer)
    flusher.close()
    await asyncio.wait_for(flushing, 5)
    assert await in_database(stored, run) == events


async def test_deltas_that_cannot_be_stored_harm_no_other_run(caplog):
    runs = [await in_database(driven) for _ in range(3)]
    buffers, flusher = [buffer_of(run) for run in runs], Flusher(LEASE)
    said = [say(run, buffer) for run, buffer in zip(runs, buffers, strict=True)]
    buffers[1].waiting = [replace(said[1][0], number="not a number")]
    for buffer in buffers:
        flusher.notice(buffer)
    await flusher.flush()
    assert [buffer.refused for buffer in buffers] == [False, True, False]
    assert [await in_database(stored, run) for run in runs] == [said[0], [], said[2]]
    assert "Deltas refused" in caplog.text


async def half_stored(run):
    """A run's buffer, and what was said: the first half is stored, and nobody was told so."""
    buffer = buffer_of(run)
    said = say(run, buffer, 2)
    done = await in_writer(flush.commit, [buffer.depart()], LEASE)
    assert done.stored == {run.id}
    return buffer, said + say(run, buffer, 2)


async def test_what_may_have_been_stored_goes_again_as_it_was():
    """Together with what came since it would be taken for what is there already."""
    run = await in_database(driven)
    flusher = Flusher(LEASE)
    buffer, said = await half_stored(run)
    flusher.notice(buffer)
    await flusher.flush()
    assert buffer.unflushed() == 2
    assert flusher.wake.is_set()
    await flusher.flush()
    assert not buffer.unflushed()
    assert await in_database(stored, run) == said


async def test_of_what_is_left_the_ending_stores_what_is_not_there():
    """A flush arrived unheard, and was refused when it came again: somebody has cancelled."""
    run = await in_database(driven)
    flusher = Flusher(LEASE)
    buffer, said = await half_stored(run)
    await in_database(Run.objects.filter(id=run.id).update, status=RunStatus.CANCELLING)
    flusher.notice(buffer)
    await flusher.flush()
    assert buffer.refused
    left, turn = await buffer.take(), Turn(frozenset(), set())
    await in_writer(commits.end_driven, run, turn, left, RunStatus.CANCELLED)
    log = await in_database(stored, run)
    assert log[:4] == said
    assert [event.name for event in log[4:]] == ["thread.run.cancelling", "thread.run.cancelled"]


@pytest.fixture
def impatient_writer():
    """The executor's connection gives up on a locked file after 10 ms instead of 5 s."""

    def patience(milliseconds):
        connection.cursor().execute(f"PRAGMA busy_timeout = {milliseconds}")

    asyncio.run(in_writer(patience, 10))
    yield
    asyncio.run(in_writer(patience, 5000))


@pytest.mark.sqlite
async def test_a_locked_file_neither_loses_nor_doubles(impatient_writer, monkeypatch):
    monkeypatch.setattr(flush, "RETRY_SECONDS", 0.01)
    run = await in_database(driven)
    buffer, flusher = buffer_of(run), Flusher(LEASE)

    def lock():
        connection.cursor().execute("BEGIN IMMEDIATE")

    def unlock():
        connection.cursor().execute("ROLLBACK")
        connection.close()

    first = say(run, buffer, 3)
    flusher.notice(buffer)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as other:
        await loop.run_in_executor(other, lock)
        flushing = asyncio.create_task(flusher.flush())
        await asyncio.sleep(0.1)
        assert not flushing.done()
        second = say(run, buffer, 2)
        flusher.notice(buffer)
        assert buffer.unflushed() == 5
        await loop.run_in_executor(other, unlock)
        await asyncio.wait_for(flushing, 5)
    await flusher.flush()
    assert await in_database(stored, run) == first + second
    assert buffer.unflushed() == 0
    assert not buffer.refused
