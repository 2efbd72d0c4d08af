"""Drivers at work: how far they show, what is changed or stopped under them, their commits."""

import asyncio
from dataclasses import replace

import pytest
from django.db import connection
from django.utils import timezone

from runs import operations
from runs.events import flush, log
from runs.execution.drive import drive
from runs.models import EventChunk, Message, Run
from runs.models.database import in_database, in_writer
from tests.execution.scene import (
    Reader,
    again,
    data_of,
    delta_text,
    hold_writers,
    kill,
    later,
    message_text,
    until,
)
from tests.factories import make_thread
from tests.upstream_script import finish, gate, text


@pytest.mark.slow
async def test_no_more_is_shown_past_a_lease_that_was_not_renewed(scene):
    run = await in_database(scene.create, "text-50x40")
    async with scene.working(lease=1.0) as worker:
        for task in worker.tasks:
            task.cancel()  # neither flushes nor renewals
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: scene.upstream.requests and scene.upstream.requests[0].ended_at)
        assert 0 < reader.deltas() < 50  # of what takes two seconds to send
        await kill(driving)
        reader.task.cancel()


async def test_no_more_than_the_bound_is_shown_without_a_commit(scene, monkeypatch):
    monkeypatch.setattr(flush, "UNFLUSHED_EVENTS", 7)
    run = await in_database(scene.create, "text-50")
    async with scene.working() as worker:
        worker.tasks[0].cancel()  # nothing is flushed
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: reader.deltas() == 7 and scene.upstream.requests[0].ended_at)
        await asyncio.sleep(0.05)
        assert reader.deltas() == 7
        await worker.flusher.flush()
        await until(lambda: reader.deltas() == 14)
        await kill(driving)
        reader.task.cancel()


async def test_long_texts_flow_through_the_bound(scene, monkeypatch):
    monkeypatch.setattr(flush, "UNFLUSHED_EVENTS", 7)
    run = await in_database(scene.create, "text-60")
    async with scene.working() as worker:
        await asyncio.wait_for(drive(run.id, worker), 10)

    def check():
        assert message_text(Message.objects.get(run=run)) == delta_text(run)
        assert len(data_of(run, "thread.message.delta")) == 60

    await in_database(check)


async def test_deleting_the_thread_ends_driver_and_readers(scene, caplog):
    async with scene.serving() as engine:
        run = await in_database(scene.create, "text-1000x5")
        reader = Reader(run)
        await until(lambda: reader.deltas() >= 5)
        await in_database(operations.delete_thread, scene.thread)
        await reader.end()
        await until(lambda: not engine.executor.worker.drivers)
        await until(lambda: scene.upstream.requests[0].closed_at)
    assert reader.names[-4:] == [
        "run.cancelling", "message.incomplete", "run.step.cancelled", "run.cancelled",
    ]  # fmt: skip
    numbers = [event.number for event in reader.got]
    assert numbers == sorted(set(numbers))
    assert not await in_database(Run.objects.filter(id=run.id).exists)
    assert "ERROR" not in {record.levelname for record in caplog.records}


async def test_a_stopped_engine_lets_others_go_on_at_once(scene):
    async with scene.serving() as engine:
        run = await in_database(scene.create, "text-300x5")
        reader = Reader(run)
        await until(lambda: reader.deltas() >= 3)
        shown = reader.deltas()
        await engine.stop(0)

    def check():
        assert len(data_of(run, "thread.message.delta")) >= shown  # committed on the way out
        assert again(run).lease_until <= timezone.now()

    await in_database(check)
    reader.task.cancel()


async def test_an_engine_gives_turns_their_grace(scene):
    async with scene.serving() as engine:
        run = await in_database(scene.create, "text-20x10")
        await until(lambda: scene.upstream.requests)
        await engine.stop(10)
        assert not engine.running
    assert (await later(run)).status == "completed"


async def test_runs_beyond_the_bound_wait_for_room(scene, settings):
    settings.RUNSITE_CONCURRENT_RUNS = 2
    scene.upstream.play([gate("open"), text("Hi"), finish()], [gate("open"), text("Hi"), finish()])

    def on_a_thread_of_its_own():
        return scene.create(thread=make_thread(scene.project))

    async with scene.serving():
        runs = [await in_database(on_a_thread_of_its_own) for _ in range(3)]
        await until(lambda: len(scene.upstream.requests) == 2)
        await asyncio.sleep(0.2)  # ten looks of the watchdog
        statuses = [(await later(run)).status for run in runs]
        assert sorted(statuses) == ["in_progress", "in_progress", "queued"]
        assert len(scene.upstream.requests) == 2
        scene.upstream.open("open")
        for run in runs:
            while (await later(run)).status != "completed":
                await asyncio.sleep(0.01)


async def test_metadata_may_change_while_the_run_is_driven(scene):
    async with scene.serving():
        run = await in_database(scene.create, "text-20x10")
        reader = Reader(run)
        await until(lambda: reader.deltas() >= 2)
        await in_database(operations.update_run, await later(run), {"metadata": {"a": "b"}})
        await reader.end()
    assert (await later(run)).metadata == {"a": "b"}
    assert (await in_database(data_of, run, "thread.run.completed"))[0]["metadata"] == {"a": "b"}


async def test_deleting_the_message_that_is_written_does_not_stop_the_run(scene):
    async with scene.serving():
        run = await in_database(scene.create, "text-20x10")
        reader = Reader(run)
        await until(lambda: reader.deltas() >= 2)
        message = await in_database(Message.objects.get, run=run)
        await in_database(operations.delete_message, message)
        await reader.end()
    assert (await later(run)).status == "completed"
    assert len(scene.upstream.requests) == 1


async def test_a_deleted_assistants_runs_go_on(scene):
    run = await in_database(scene.create, "tools-1-then-text-2")
    async with scene.working() as worker:
        await drive(run.id, worker)
        await in_database(operations.delete_assistant, scene.assistant)
        await in_database(scene.submit, run, "ok")
        await drive(run.id, worker)
    assert (await later(run)).status == "completed"


def commits_of(queries):
    return sum(query["sql"] == "COMMIT" for query in queries)


@pytest.mark.sqlite  # counted where the executor has one thread and keeps its connection
def test_a_plain_run_costs_four_commits(scene):
    """Created; claimed; opened; ended. Flushes are shared with other runs."""

    def record(on):
        connection.force_debug_cursor = on
        queries, connection.queries_log = (
            list(connection.queries_log),
            type(connection.queries_log)(maxlen=9000),
        )
        return queries

    record(True)
    run = scene.create("text-3")
    created = commits_of(record(False))
    asyncio.run(in_writer(record, True))
    scene.drive(run)
    driven = commits_of(asyncio.run(in_writer(record, False)))
    flushes = EventChunk.objects.filter(run=run).count() - 4
    assert flushes in (0, 1)
    assert created == 1
    assert driven - flushes == 3


async def test_a_run_whose_deltas_cannot_be_stored_fails_at_once(scene, caplog):
    """Rather than stand still for the rest of its time."""
    scene.upstream.play([text("a"), gate("odd"), text("b")])
    run = await in_database(scene.create)
    async with scene.working() as worker:
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: scene.upstream.requests and worker.drivers)
        release = await hold_writers()
        (driver,) = worker.drivers.values()
        driver.buffer.add(replace(log.record(driver.run, "thread.x", {}), number="no number"))
        worker.flusher.notice(driver.buffer)
        await release()
        await until(lambda: driver.buffer.refused)
        scene.upstream.open("odd")
        await asyncio.wait_for(driving, 20)
        reader.task.cancel()
    assert (await later(run)).status == "failed"
    assert "Deltas refused" in caplog.text
