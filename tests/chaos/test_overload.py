"""Readers that take nothing, and a database that somebody else has locked."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import httpx
import psycopg
import pytest

from tests.chaos.cluster import LEASE_SECONDS, Cluster
from tests.chaos.outcome import asked_in_order, ended_well
from tests.process.client import Reader, turns_asked, until
from tests.process.test_readers import read_beside, stalled
from tests.upstream import Upstream
from tests.upstream_script import gate, text

pytestmark = [pytest.mark.process, pytest.mark.services]

POOL = 4
READERS = 64


@contextlib.asynccontextmanager
async def locked(cluster: Cluster, table: str) -> AsyncIterator[None]:
    """Somebody has the table for himself, as a migration may."""
    async with await psycopg.AsyncConnection.connect(cluster.database) as connection:
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        await connection.rollback()


async def test_stalled_readers_cost_neither_the_web_process_nor_the_worker(
    cluster: Cluster, upstream: Upstream
) -> None:
    """Readers that take nothing of 8 MB each: others read on, memory stays bounded."""
    piece, pieces, readers = "x" * 4000, 2000, 24
    plan = [text(piece)] * pieces
    web, api = cluster.webs[0], cluster.api(0)
    upstream.play(plan)
    assert await Reader(api).create(await api.prepare("huge"))  # the same without them
    before = {process: process.memory for process in cluster.processes}
    upstream.play([text("begin"), gate("all are here"), text("go"), *plan])
    run = await api.run("huge")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(readers):
            await stack.enter_async_context(stalled(api, run))
        reader = Reader(api, run)
        fast = asyncio.create_task(reader.attach())
        upstream.open("all are here")
        await until(lambda: len(reader.deltas) > 2)
        await read_beside(api, upstream)
        assert await fast
        # Unbounded, each of them would hold all 8 MB, in several copies.
        assert web.memory - before[web] < readers * 5_500_000
        for worker in cluster.workers:
            assert worker.memory - before[worker] < 40_000_000  # it never sees the readers
    assert "".join(event.delta for event in reader.deltas) == "begingo" + piece * pieces


async def test_a_web_process_without_a_connection_to_spare_harms_no_run(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """All its connections wait for a lock: calls are told to come back, 64 readers of a run stay,
    and the run goes on."""
    cluster = start_cluster(webs=1, workers=1, RUNSITE_POOL_SIZE=str(POOL))
    api = cluster.api()
    run = await api.run("text-600x20", "beside a dry pool")  # 12 s
    readers = [Reader(api, run) for _ in range(READERS)]
    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers), 30)
        path = f"/assistants/{run['assistant_id']}"
        for _ in range(10):  # the readers hold none
            assert (await api.get(path))["id"] == run["assistant_id"]
        async with locked(cluster, "runs_assistant"):
            calls = [asyncio.create_task(api.http.get(path)) for _ in range(READERS)]
            heard = {reader: len(reader.deltas) for reader in readers}
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)  # the pool's timeout
            assert cluster.row(run)["status"] == "in_progress"
            for reader in readers:  # live events need no database
                assert len(reader.deltas) > heard[reader] + 50
        replies: list[httpx.Response] = await asyncio.gather(*calls)
    statuses = Counter(reply.status_code for reply in replies)
    assert set(statuses) == {200, 503}, statuses
    assert statuses[200] >= POOL
    for reply in replies:
        assert reply.is_success or "retry-after" in reply.headers
    assert all(task.result() for task in streams)
    for reader in readers[:5]:
        assert await ended_well(api, reader) == 0
    assert len(turns_asked(upstream, "beside a dry pool")[0]) == 1


async def test_runs_outlast_a_lock_on_their_table(cluster: Cluster, upstream: Upstream) -> None:
    """For 10 s nobody can write or read a run, nor renew a lease; then all goes on."""
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
    assert time.monotonic() - begun < 10 + LEASE_SECONDS + 30
    assert all(task.result() for task in streams)
    for tag, reader in zip(tags, readers, strict=True):
        lost = await ended_well(api, reader)
        assert asked_in_order(upstream, tag, reader)[0] == 1 + lost
    last = Reader(cluster.api(1), after)
    assert await last.attach()
    await ended_well(api, last)
