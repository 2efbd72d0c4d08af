"""Workers with a wrong clock, and one whose event loop stands still."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tests.chaos.cluster import LEASE_SECONDS, TAKEOVER_SECONDS, Cluster, Web, Worker, start_all
from tests.chaos.outcome import asked_in_order, ended_well
from tests.live import LiveServer
from tests.process.client import Reader, turns_asked, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

HOUR = 3600
BLOCKED_SECONDS = LEASE_SECONDS + 3
FAULTY = (sys.executable, "-m", "tests.chaos.faulty")


class FaultyWorker(Worker):
    """A worker whose surroundings are at fault."""

    command = (*FAULTY, "worker")


class FaultyWeb(Web):
    """A web process whose surroundings are at fault."""

    command = (*FAULTY, "serve")


@pytest.fixture
async def disagreeing(start_cluster: Callable[..., Cluster]) -> Cluster:
    """Three workers: one is right, one an hour ahead, one an hour behind; and web processes
    that are wrong likewise, of which the first is right."""
    cluster = start_cluster(webs=1, workers=1)
    added = [
        cluster.add(kind, CLOCK_OFF_BY=str(hours * HOUR))
        for kind in (FaultyWorker, FaultyWeb)
        for hours in (1, -1)
    ]
    await asyncio.to_thread(start_all, added)
    return cluster


async def test_no_run_is_taken_over_or_expired_early(
    disagreeing: Cluster, upstream: Upstream
) -> None:
    """8.32: created by way of each, driven by each, for longer than a lease."""
    tags = [f"clocks {i}" for i in range(30)]
    runs = [
        await disagreeing.api(i % 3).run("text-150x40", tag, expires_in=60)
        for i, tag in enumerate(tags)
    ]
    readers = [Reader(disagreeing.api((i + 1) % 3), run) for i, run in enumerate(runs)]
    assert all(await asyncio.gather(*(reader.attach() for reader in readers)))
    for tag, reader in zip(tags, readers, strict=True):
        assert await ended_well(disagreeing.api(), reader) == 0
        assert asked_in_order(upstream, tag, reader) == {0: 1}
        assert abs(reader.run["created_at"] - time.time()) < 120
        assert len(disagreeing.claims(reader.run)) == 1
    drivers = {disagreeing.claims(run)[0][1] for run in runs}
    assert len(drivers) == 3


async def test_what_is_due_expires_and_what_is_lost_is_found_in_time(
    disagreeing: Cluster, upstream: Upstream
) -> None:
    """8.32: also by those who are an hour behind, when nobody else is there."""
    right, _, behind = disagreeing.workers
    for process in (*disagreeing.workers[:2], *disagreeing.webs[:2]):
        await asyncio.to_thread(process.stop)
    api = disagreeing.api(2)
    lost = Reader(api, await api.run("text-100x40", "lost by one who is behind"))
    due = await api.run("silent-1", "due by the clock of the database", expires_in=3)
    reading = asyncio.create_task(lost.attach())
    await until(lambda: len(lost.deltas) > 5)
    await api.wait(due, "expired", seconds=3 + 2)
    behind.kill9()
    await asyncio.to_thread(right.start)
    started = time.monotonic()
    assert await reading
    assert await ended_well(api, lost) == 1
    again = turns_asked(upstream, "lost by one who is behind")[0][1].received_at
    assert again - started < TAKEOVER_SECONDS


@pytest.fixture
async def blockable(start_cluster: Callable[..., Cluster]) -> Cluster:
    """Two workers whose loops a signal blocks."""
    cluster = start_cluster(webs=1, workers=0)
    added = [cluster.add(FaultyWorker, BLOCKED_SECONDS=str(BLOCKED_SECONDS)) for _ in range(2)]
    await asyncio.to_thread(start_all, added)
    return cluster


async def test_a_worker_whose_loop_stands_still_loses_its_runs_cleanly(
    blockable: Cluster, upstream: Upstream
) -> None:
    """8.26: its threads and connections live on, so nothing looks dead from outside. When it wakes
    up it writes nothing to what others have taken over, and closes its upstream's connections."""
    api = blockable.api()
    tags = [f"blocked {i}" for i in range(20)]
    runs = await asyncio.gather(*(api.run("text-300x40", tag) for tag in tags))
    readers = [Reader(api, run) for run in runs]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(len(reader.deltas) > 5 for reader in readers), 30)
        blocked: LiveServer = blockable.workers[0]
        taken = {r.run["id"] for r in readers if blockable.claims(r.run)[-1][1] is blocked}
        assert taken
        blocked.signal(signal.SIGUSR2)
        begun = time.monotonic()
    assert all(task.result() for task in reading)
    for tag, reader in zip(tags, readers, strict=True):
        lost = await ended_well(api, reader)
        assert lost == (1 if reader.run["id"] in taken else 0)
        asked_in_order(upstream, tag, reader)
        requests = turns_asked(upstream, tag)[0]
        assert len(requests) == 1 + lost
        if lost:
            assert requests[1].received_at - begun < TAKEOVER_SECONDS
            await until(lambda: requests[0].closed_at or requests[0].ended_at, 20)  # noqa: B023
            assert requests[0].closed_at, "the lost answer was read to its end"
    # It is alive and takes part again.
    assert blocked.running
    await asyncio.to_thread(blockable.workers[1].stop)
    after = Reader(api, await api.run("text-5", "after the block"))
    assert await after.attach()
    assert await ended_well(api, after) == 0
