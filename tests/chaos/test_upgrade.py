"""Versions beside each other, and a process that dies while it takes over what another left."""

import asyncio

import psycopg
import pytest

from tests.chaos.cluster import TAKEOVER_SECONDS, Cluster
from tests.chaos.outcome import asked_in_order, completed_once, ended_well
from tests.process.client import Reader, Wire, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

UNKNOWN = "runsite.a_task_of_the_next_version"
TABLES = ("runs_run", "runs_eventchunk", "runs_message", "runs_runstep")


async def test_a_job_of_another_version_disturbs_nobody(cluster: Cluster) -> None:
    """8.34: it is thrown away, once; the worker that met it goes on."""
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
    """8.34: whoever does not know it throws it away, and queues one of its own."""
    for worker in cluster.workers:
        await cluster.freeze(worker)
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
    """8.34: as when the database is migrated first and the processes are replaced after that."""
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
    """8.33: nobody can write to the log, so that the claim of the second driver stands still; then
    he dies as well. What he had begun is not done behind his back."""
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
        await connection.execute("LOCK TABLE runs_eventchunk IN SHARE MODE")
        await until(lambda: waiting(cluster, "runs_eventchunk"), TAKEOVER_SECONDS, "the claim")
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
    await until(lambda: not cluster.jobs(run), 30, "the end of the jobs of the dead")


async def test_whoever_dies_while_runs_expire_is_followed_by_the_next(cluster: Cluster) -> None:
    """8.33: the row of one of them is held from outside, so that the look of the only watchdog
    that is there stands still; then its process dies. The others, which slept, do the rest."""
    api = cluster.api()
    worker, other = cluster.workers
    model = "tools-1-then-text-3"
    due = [await api.run(model, f"due {i}", expires_in=8) for i in range(5)]
    due = [await api.wait(run, "requires_action", "expired") for run in due]
    assert {run["status"] for run in due} == {"requires_action"}, "too late"
    for process in (*cluster.webs, other):
        await cluster.freeze(process)
    held = due[2]["id"]
    with cluster.holding("SELECT 1 FROM runs_run WHERE id = %s FOR UPDATE", held):
        await until(lambda: waiting(cluster, "runs_run"), 15, "the end of a run that is due")
        worker.kill9()
    for process in (*cluster.webs, other):
        process.resume()
    for run in due:
        await api.wait(run, "expired", seconds=5)
        names = [event.name for event in await api.log(run)]
        assert names.count("thread.run.expired") == 1
        assert names[-1] == "thread.run.expired"


def change(cluster: Cluster, table: str, how: str) -> None:
    """Change a table of the database."""
    with psycopg.connect(cluster.database, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} {how}".encode())


def left_of(cluster: Cluster, task: str) -> list[dict[str, object]]:
    """The jobs of a task that are in the queue, whatever their state."""
    return cluster.query("SELECT status::text FROM procrastinate_jobs WHERE task_name = %s", task)


def waiting(cluster: Cluster, table: str) -> list[Wire]:
    """The statements that wait for a lock, and would write to a table."""
    writes = f"'^(INSERT|UPDATE).*{table}|{table}.*FOR.*UPDATE'"
    return cluster.query(
        "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
        f" AND wait_event_type = 'Lock' AND query ~ {writes}"
    )
