"""Versions beside each other, and a process that dies while it takes over what another left."""

import asyncio

import psycopg
import pytest

from tests.chaos.cluster import TAKEOVER_SECONDS, Cluster
from tests.chaos.outcome import asked_in_order, completed_once, ended_well
from tests.process.client import Reader, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

UNKNOWN = "runsite.a_task_of_the_next_version"
TABLES = ("runs_run", "runs_eventchunk", "runs_message", "runs_runstep")


async def test_a_job_of_another_version_disturbs_nobody(cluster: Cluster) -> None:
    """It is thrown away, once; the worker that met it goes on."""
    api = cluster.api()
    for _ in range(5):
        cluster.query(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            f" VALUES ('runs', '{UNKNOWN}', '{{}}') RETURNING id"
        )
    readers = [Reader(api, await api.run("text-20x20")) for _ in range(10)]
    assert all(await asyncio.gather(*(reader.attach() for reader in readers)))
    for reader in readers:
        assert await ended_well(api, reader) == 0
        assert len(cluster.claims(reader.run)) == 1
    await until(lambda: not left_of(cluster, UNKNOWN), 10, "their end")
    assert all(worker.running for worker in cluster.workers)


async def test_a_hint_that_only_another_version_understands_is_given_again(
    cluster: Cluster, upstream: Upstream
) -> None:
    for worker in cluster.workers:
        worker.pause()
    run = await cluster.api().run("text-20x20", "hinted at in vain")
    changed = cluster.query(
        f"UPDATE procrastinate_jobs SET task_name = '{UNKNOWN}' WHERE queueing_lock = %s"
        " RETURNING id",
        f"run:{run['id']}",
    )
    assert len(changed) == 1
    for worker in cluster.workers:
        worker.resume()
    reader = Reader(cluster.api(1), run)
    assert await asyncio.wait_for(reader.attach(), TAKEOVER_SECONDS)
    assert await ended_well(cluster.api(), reader) == 0
    assert asked_in_order(upstream, "hinted at in vain", reader) == {0: 1}
    await until(lambda: not left_of(cluster, UNKNOWN), 10, "the end of the job")


async def test_a_column_of_the_next_version_comes_while_runs_stream(
    cluster: Cluster, upstream: Upstream
) -> None:
    """As when the database is migrated first and the processes are replaced after that."""
    api = cluster.api()
    model = "text-60x30+tools-1-then-text-60x30"
    runs = [await api.run(model, f"migrated under {i}") for i in range(10)]
    readers = [Reader(cluster.api(i % 2), run) for i, run in enumerate(runs)]
    try:
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(reader.attach("?follow=1")) for reader in readers]
            await until(lambda: all(reader.deltas for reader in readers), 30)
            for table in TABLES:
                change(cluster, table, "ADD COLUMN of_the_next text NOT NULL DEFAULT ''")
            for run in runs:
                await api.answer(await api.wait(run, "requires_action"))
        assert all(task.result() for task in reading)
        for i, reader in enumerate(readers):
            assert await ended_well(api, reader) == 0
            assert asked_in_order(upstream, f"migrated under {i}", reader) == {0: 1, 1: 1}
    finally:
        for table in TABLES:
            change(cluster, table, "DROP COLUMN IF EXISTS of_the_next")


async def test_whoever_dies_while_taking_over_is_followed_by_the_next(
    cluster: Cluster, upstream: Upstream
) -> None:
    """The row of the run is held from outside, so that the claim of the second driver stands
    still; then he dies as well. What he had begun is not done behind his back."""
    api = cluster.api()
    tag = "taken over by one who dies"
    run = await api.run("text-150x40", tag)
    reader = Reader(api, run)
    reading = asyncio.create_task(reader.attach())
    await until(lambda: len(reader.deltas) > 10)
    first = await cluster.worker_of(run)
    (second,) = cluster.others(first)
    async with await psycopg.AsyncConnection.connect(cluster.database) as connection:
        first.kill9()
        await connection.execute("SELECT 1 FROM runs_run WHERE id = %s FOR UPDATE", [run["id"]])
        await until(lambda: waiting(cluster), TAKEOVER_SECONDS, "the claim")
        second.kill9()
        await asyncio.to_thread(first.start)
        await connection.rollback()
    assert await reading
    lost = await ended_well(api, reader)
    assert lost == 1
    assert asked_in_order(upstream, tag, reader) == {0: 2}
    assert cluster.row(run)["epoch"] == 2
    assert [worker for _, worker in cluster.claims(run)] == [first, first]
    assert await completed_once(cluster.api(1), run)


def change(cluster: Cluster, table: str, how: str) -> None:
    """Change a table of the database."""
    with psycopg.connect(cluster.database, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} {how}".encode())


def left_of(cluster: Cluster, task: str) -> list[dict[str, object]]:
    """The jobs of a task that are in the queue, whatever their state."""
    return cluster.query("SELECT status::text FROM procrastinate_jobs WHERE task_name = %s", task)


def waiting(cluster: Cluster) -> list[dict[str, object]]:
    """The statements that wait for a lock on a row of the database."""
    return cluster.query(
        "SELECT query FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
