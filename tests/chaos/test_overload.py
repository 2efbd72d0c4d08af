"""Readers that take nothing, and a database that somebody else has locked."""

import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.outcome import ended_well
from tests.process.client import Api, Reader, turns_asked, until
from tests.process.test_stalled import (
    costs_no_more,
    large_run,
    others_are_as_soon,
    read_by_one,
)
from tests.upstream import Upstream
from tests.upstream_script import Plan, gate, text, token

pytestmark = [pytest.mark.process, pytest.mark.services]

POOL = 4  # connections for calls
SIZE = str(2 * POOL)  # as many are for runs
READERS = 64


@contextlib.asynccontextmanager
async def locked(cluster: Cluster, table: str) -> AsyncIterator[None]:
    """Somebody has the table for himself, as a migration may."""
    async with await psycopg.AsyncConnection.connect(cluster.database) as connection:
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        await connection.rollback()


@contextlib.asynccontextmanager
async def dry(cluster: Cluster) -> AsyncIterator[None]:
    """Calls that wait for a lock hold all connections of the only web process; more of them are
    refused, neither at once nor late, while inside the block."""
    api = cluster.api()
    path = "/assistants?limit=1"
    assert (await api.http.get(path)).status_code == 200
    async with locked(cluster, "runs_assistant"):
        calls = {asyncio.create_task(answered(api, path)) for _ in range(POOL)}
        await until(lambda: len(waiting(cluster)) == POOL)
        calls |= {asyncio.create_task(answered(api, path)) for _ in range(READERS - POOL)}
        yield
        await until(lambda: sum(call.done() for call in calls) == READERS - POOL, 20)
    answers = await asyncio.gather(*calls)
    assert Counter(status for status, _ in answers) == {200: POOL, 503: READERS - POOL}
    took = [seconds for status, seconds in answers if status == 503]
    assert min(took) > 4.5, took  # the pool's timeout is 5 s; this process has much to read
    assert statistics.median(took) < 10, took
    assert max(took) < 15, took


def waits(count: int, name: str) -> Plan:
    """What the model ``text-COUNT`` says, 50 tokens a second; it waits at a gate after ten."""
    said = [text(token(i), 0.02) for i in range(count)]
    return [*said[:10], gate(name), *said[10:]]


def ended(cluster: Cluster, reader: Reader) -> bool:
    """Whether a run is completed for the database as for its reader."""
    last = reader.seen[-1]
    return last.name == "thread.run.completed" and (
        cluster.row(reader.run)["last_number"] == last.number
    )


def waiting(cluster: Cluster) -> list[dict[str, int]]:
    """The connections that wait for a lock."""
    return cluster.query(
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )


async def answered(api: Api, path: str) -> tuple[int, float]:
    """The status of a GET, and the seconds that it took."""
    begun = time.monotonic()
    reply = await api.http.get(path, timeout=90)
    assert reply.is_success or (reply.status_code == 503 and "retry-after" in reply.headers)
    return reply.status_code, time.monotonic() - begun


async def test_stalled_readers_cost_neither_the_web_process_nor_the_worker(
    cluster: Cluster, upstream: Upstream
) -> None:
    """Readers that take nothing of 8 MB each: others read on, memory stays bounded."""
    piece, pieces, readers = "x" * 4000, 2000, 24
    plan = [text(piece)] * pieces
    web, api = cluster.webs[0], cluster.api(0)
    warm = set()
    while len(warm) < len(cluster.workers):  # the same without them, by each worker
        upstream.play(plan)
        created = Reader(api)
        assert await created.create(await api.prepare("huge"))
        warm.add(await cluster.worker_of(created.run))
    before = web.memory
    most = {worker: worker.most_memory for worker in cluster.workers}
    async with read_by_one(api, upstream, plan, readers) as reader:
        # Unbounded, each of them would hold all 8 MB, in several copies. The workers never see
        # them; but each thread that has once committed such a run keeps up to 70 MB for the next.
        bound = readers * 5_500_000
        assert web.memory - before < bound
        for worker in cluster.workers:
            assert worker.most_memory - most[worker] < bound
    assert "".join(event.delta for event in reader.deltas) == "begingo" + piece * pieces


async def test_a_reader_that_never_reads_costs_its_web_process_no_more(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.21: of 200 MB less than 10 are held for it; and others get their tokens as soon as
    without twenty of them."""
    api = cluster.api(0)
    run = large_run(cluster.webs[0])
    await costs_no_more(api, run)
    await others_are_as_soon(api, upstream, run)


async def test_a_web_process_without_a_connection_to_spare_harms_no_run(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """8.30: all its connections wait for a lock: calls are told to come back, 64 readers of a run
    stay, and the run goes on."""
    cluster = start_cluster(webs=1, workers=1, RUNSITE_POOL_SIZE=SIZE)
    api = cluster.api()
    upstream.play(waits(600, "the pool is dry"))
    run = await api.run("text-600", "beside a dry pool")
    readers = [Reader(api, run) for _ in range(READERS)]
    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers), 60)
        path = f"/assistants/{run['assistant_id']}"
        for _ in range(10):  # the readers hold none
            assert (await api.get(path))["id"] == run["assistant_id"]
        async with dry(cluster):
            upstream.open("the pool is dry")
            # Live events need no database, nor does the worker one of the web process.
            await until(lambda: all(task.done() for task in streams), 60)
    assert all(task.result() for task in streams)
    for reader in readers[:5]:
        assert await ended_well(api, reader) == 0
    assert len(turns_asked(upstream, "beside a dry pool")[0]) == 1


async def test_a_process_that_does_it_all_keeps_connections_for_its_runs(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """8.30: calls hold its whole pool from mid-text of its runs until after their end."""
    cluster = start_cluster(webs=1, workers=0, RUNSITE_ENGINE="local", RUNSITE_POOL_SIZE=SIZE)
    cluster.workers.append(cluster.webs[0])
    api = cluster.api()
    tags = {model: f"one process {model}" for model in ("text-100", "text-500")}
    readers = {}
    for model, tag in tags.items():
        upstream.play(waits(int(model[5:]), "all calls wait"))
        readers[model] = Reader(api, await api.run(model, tag))
        await until(lambda tag=tag: turns_asked(upstream, tag))
    async with asyncio.TaskGroup() as group:
        for reader in readers.values():
            group.create_task(reader.attach())
        await until(lambda: all(reader.deltas for reader in readers.values()), 30)
        async with dry(cluster):
            upstream.open("all calls wait")
            await until(lambda: all(ended(cluster, reader) for reader in readers.values()), 60)
    for model, reader in readers.items():
        assert await ended_well(api, reader) == 0
        assert len(cluster.claims(reader.run)) == 1
        assert len(turns_asked(upstream, tags[model])[0]) == 1


async def test_runs_outlast_a_lock_on_their_table(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """For 10 s nobody can write or read a run, nor renew a lease; then all goes on, with the same
    drivers: their leases would have lasted."""
    cluster = start_cluster(RUNSITE_LEASE_SECONDS="30")
    api = cluster.api()
    tags = [f"behind a lock {i}" for i in range(10)]
    runs = await asyncio.gather(*(api.run("text-200x40", tag) for tag in tags))
    readers = [Reader(cluster.api(i % 2), run) for i, run in enumerate(runs)]
    body = await api.prepare("text-5", "created behind a lock")
    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(len(reader.deltas) > 5 for reader in readers), 30)
        begun = time.monotonic()
        async with locked(cluster, "runs_run"):
            create = asyncio.create_task(api.http.post("/threads/runs", json=body))
            await asyncio.sleep(10)
        reply = await create
        assert reply.status_code in (200, 503)
        after = reply.json() if reply.is_success else await api.post("/threads/runs", body)
    assert time.monotonic() - begun < 40
    assert all(task.result() for task in streams)
    for tag, reader in zip(tags, readers, strict=True):
        assert await ended_well(api, reader) == 0
        assert len(turns_asked(upstream, tag)[0]) == len(cluster.claims(reader.run)) == 1
    last = Reader(cluster.api(1), after)
    assert await last.attach()
    assert await ended_well(api, last) == 0
    assert len(turns_asked(upstream, "created behind a lock")[0]) == 1
