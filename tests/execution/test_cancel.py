"""Cancelling, wherever the run is."""

import asyncio
import contextlib

import pytest
from django.utils import timezone

from runs import operations
from runs.contract.errors import NotCancellable
from runs.contract.status import RunStatus
from runs.events import flush
from runs.execution import commits, watchdog
from runs.execution.drive import drive
from runs.models import Message, Run, RunStep
from runs.models.database import in_database, writers
from tests.execution.scene import (
    LONG,
    OPEN,
    PAST,
    SECONDS,
    START,
    TOOLS,
    Reader,
    again,
    check_sane,
    delta_text,
    hold_writers,
    later,
    message_text,
    story,
    until,
)
from tests.factories import make_run
from tests.upstream_script import HANG, gate, status, text


@pytest.fixture
def long_leases(settings, monkeypatch):
    """No lease is renewed during the test, and the watchdog has looked: whoever learns of a
    cancel was told at once."""
    settings.RUNSITE_LEASE_SECONDS = 3600
    monkeypatch.setattr(watchdog, "SECONDS", 3600)


def cancel(run):
    return operations.cancel_run(again(run))


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "talking"])
async def test_while_streaming(scene, long_leases, silent):
    """The driver is told: it waits neither for the model nor for its lease."""
    begun = [text(f"w{n} ") for n in range(5)]
    rest = [gate("never")] if silent else [text("more ", 0.001)] * 100_000
    scene.upstream.play([*begun, *rest])
    async with scene.serving():
        run = await in_database(scene.create)
        reader = Reader(run)
        await until(lambda: reader.deltas() >= 5)
        answer = await in_database(cancel, run)
        assert answer.status == "cancelling"
        assert answer.cancelled_at is None
        await reader.end()
        (request,) = scene.upstream.requests
        await until(lambda: request.closed_at)
    assert request.ended_at is None

    def check():
        found = again(run)
        assert found.status == "cancelled"
        assert found.cancelled_at is not None
        deltas = reader.deltas()
        tail = "run.cancelling message.incomplete step.cancelled run.cancelled"
        assert story(run) == f"{START} {OPEN} message.delta*{deltas} {tail}"
        message = Message.objects.get(run=run)
        assert message.incomplete_reason == "run_cancelled"
        assert message_text(message) == delta_text(run)
        assert RunStep.objects.get(run=run).cancelled_at is not None
        check_sane(run)

    await in_database(check)


async def test_while_waiting_for_the_upstream(scene):
    scene.upstream.play([HANG])
    async with scene.serving():
        run = await in_database(scene.create)
        reader = Reader(run)
        await until(lambda: scene.upstream.requests)
        await in_database(cancel, run)
        await reader.end()
        await until(lambda: scene.upstream.requests[0].closed_at)
    assert await in_database(story, run) == f"{START} run.cancelling run.cancelled"


async def test_during_the_pause_before_a_repeat(scene):
    scene.upstream.play([status(429, "", retry_after="30")])
    async with scene.serving():
        run = await in_database(scene.create)
        reader = Reader(run)
        await until(lambda: scene.upstream.requests and scene.upstream.requests[0].ended_at)
        await in_database(cancel, run)
        await reader.end()
    assert await in_database(story, run) == f"{START} run.cancelling run.cancelled"
    assert len(scene.upstream.requests) == 1


async def test_a_hint_that_comes_while_the_row_is_looked_at_counts(scene, long_leases, monkeypatch):
    """It was read a moment before the cancel; the model is silent, so nothing else tells."""
    standing = commits.standing

    def and_then_cancelled(run_id, epoch):
        found = standing(run_id, epoch)
        monkeypatch.setattr(commits, "standing", standing)
        operations.cancel_run(Run.objects.get(id=run_id))
        return found

    scene.upstream.play([HANG])
    async with scene.serving() as engine:
        run = await in_database(scene.create)
        reader = Reader(run)
        await until(lambda: scene.upstream.requests)
        monkeypatch.setattr(commits, "standing", and_then_cancelled)
        engine.executor.worker.stop_run(run.id)
        await reader.end()  # not at a renewal of the lease or a look of the watchdog: none comes
    assert await in_database(story, run) == f"{START} run.cancelling run.cancelled"


async def test_a_cancel_whose_hint_is_lost_is_found_by_the_watchdog(scene, settings, monkeypatch):
    settings.RUNSITE_LEASE_SECONDS = 3600
    scene.upstream.play([HANG])
    async with scene.serving() as engine:
        run = await in_database(scene.create)
        reader = Reader(run)
        await until(lambda: scene.upstream.requests)
        monkeypatch.setattr(engine, "signal_cancel", lambda run_id: None)
        await in_database(cancel, run)
        await reader.end()
        await until(lambda: scene.upstream.requests[0].closed_at)
    assert await in_database(story, run) == f"{START} run.cancelling run.cancelled"


def test_while_queued(scene):
    run = scene.create()
    assert cancel(run).status == "cancelled"
    assert story(run) == "run.created run.queued run.cancelled"
    assert scene.drive(run).status == "cancelled"
    assert not scene.upstream.requests
    assert scene.create().status == "queued"  # the thread is free


def test_while_waiting_for_outputs(scene):
    run = scene.drive(scene.create("tools-1"))
    assert cancel(run).status == "cancelled"
    tail = "run.requires_action step.cancelled run.cancelled"
    assert story(run) == f"{START} {TOOLS} step.delta*3 {tail}"
    check_sane(run)


@pytest.mark.parametrize("before", ["cancelling", "cancelled", "completed", "failed"])
def test_a_second_cancel_is_refused(transactional_db, before):
    with pytest.raises(NotCancellable, match=f"Cannot cancel run with status '{before}'"):
        operations.cancel_run(make_run(status=before))


@pytest.mark.parametrize("model", [LONG, "hang"])
async def test_without_the_hint(scene, model):
    """A flush that is refused, or a renewal that tells, is enough."""
    run = await in_database(scene.create, model)
    async with scene.working(lease=0.3) as worker:
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: scene.upstream.requests)
        await in_database(cancel, run)
        await asyncio.wait_for(driving, SECONDS)
    assert (await later(run)).status == "cancelled"
    await in_database(check_sane, run)


def test_a_cancel_whose_driver_died_is_finished_by_the_next_claim(scene):
    run = scene.create()
    Run.objects.filter(id=run.id).update(
        status=RunStatus.CANCELLING,
        epoch=1,
        claims=1,
        lease_owner="dead",
        lease_until=timezone.now() - PAST,
    )
    assert scene.drive(run).status == "cancelled"
    assert story(run) == "run.created run.queued run.cancelling run.cancelled"
    assert not scene.upstream.requests
    check_sane(run)


def test_a_cancel_is_finished_however_often_its_drivers_died(scene):
    run = scene.create()
    Run.objects.filter(id=run.id).update(
        status=RunStatus.CANCELLING,
        epoch=9,
        claims=9,
        lease_owner="dead",
        lease_until=timezone.now() - PAST,
    )
    assert scene.drive(run).status == "cancelled"


async def test_the_stored_text_is_what_readers_saw_when_nothing_more_could_be_shown(
    scene, monkeypatch
):
    """The bound was reached; the piece that waited for it was never shown."""
    monkeypatch.setattr(flush, "UNFLUSHED_EVENTS", 2)
    run = await in_database(scene.create, "text-5")
    async with scene.working() as worker:
        worker.tasks[0].cancel()  # nothing is flushed
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: reader.deltas() == 2 and scene.upstream.requests[0].ended_at)
        await in_database(cancel, run)
        worker.stop_run(run.id)
        await asyncio.wait_for(driving, SECONDS)
        await reader.end()

    def check():
        assert message_text(Message.objects.get(run=run)) == delta_text(run) == "w0 w1 "

    await in_database(check)


async def test_a_cancel_just_before_the_commit_keeps_what_was_shown(scene):
    """It was delivered, and not flushed; the commit that was to store it was refused."""
    scene.upstream.play([text("a"), gate("held"), text("b")])
    run = await in_database(scene.create)
    async with scene.working() as worker:
        worker.tasks[0].cancel()  # nothing is flushed
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: reader.deltas() == 1)
        release = await hold_writers()
        scene.upstream.open("held")
        await until(lambda: reader.deltas() == 2 and writers()._work_queue.qsize())
        await in_database(cancel, run)
        await release()
        await asyncio.wait_for(driving, SECONDS)
        await reader.end()

    def check():
        assert again(run).status == "cancelled"
        assert message_text(Message.objects.get(run=run)) == delta_text(run) == "ab"
        check_sane(run)

    await in_database(check)


async def test_a_cancel_just_before_the_end_of_a_budget(scene, monkeypatch):
    """The prompt has found no room; the cancel is committed before the ending is."""
    end_incomplete = commits.end_incomplete

    def cancelled_before(run, reason):
        monkeypatch.undo()
        cancel(run)
        return end_incomplete(run, reason)

    monkeypatch.setattr(commits, "end_incomplete", cancelled_before)
    run = await in_database(scene.create, max_prompt_tokens=1)
    async with scene.working() as worker:
        await asyncio.wait_for(drive(run.id, worker), SECONDS)
    assert await in_database(story, run) == f"{START} run.cancelling run.cancelled"


@pytest.mark.slow
async def test_cancels_at_any_moment_leave_every_run_sane(scene):
    """Each ends as cancelled or completed, with the text its readers saw."""
    async with scene.serving():
        runs, readers = [], []
        for i in range(24):
            thread = await in_database(operations.create_thread, scene.project, {})
            run = await in_database(scene.create, f"text-{1 + i % 5}x{i % 4}", thread=thread)
            runs.append(run)
            readers.append(Reader(run))

        async def cancel_after(run, seconds):
            await asyncio.sleep(seconds)
            with contextlib.suppress(NotCancellable):
                await in_database(cancel, run)

        await asyncio.gather(*(cancel_after(run, i * 0.004) for i, run in enumerate(runs)))
        for reader in readers:
            await reader.end()

    def check():
        for run, reader in zip(runs, readers, strict=True):
            check_sane(run)
            assert again(run).status in ("cancelled", "completed")
            assert reader.names[-1] == f"run.{again(run).status}"
            for message in Message.objects.filter(run=run):
                assert message_text(message) == delta_text(run)

    await in_database(check)
