"""A worker is asked to stop while it streams, and others are there."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.outcome import asked_in_order, ended_well
from tests.process.client import Reader, turns_asked, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

RUNS = 50
GRACE = 1  # RUNSITE_DRAIN_SECONDS
LEASE_SECONDS = 30  # so long that nobody waits for its end


async def test_what_a_stopped_worker_streamed_goes_on_at_once(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """Not when the leases run out: they are given back. Nothing fails."""
    cluster = start_cluster(
        webs=1, RUNSITE_LEASE_SECONDS=str(LEASE_SECONDS), RUNSITE_DRAIN_SECONDS=str(GRACE)
    )
    api, leaving = cluster.api(), cluster.workers[0]
    runs = await asyncio.gather(*(api.run("text-300x40", f"drained {i}") for i in range(RUNS)))
    readers = [Reader(api, run) for run in runs]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers), 30)
        left = [run["id"] for run in runs if cluster.claims(run)[-1][1] is leaving]
        assert len(left) > RUNS / 5
        started = time.monotonic()
        assert await asyncio.to_thread(leaving.stop, signal.SIGTERM) == 0
        stopped = time.monotonic()
    assert stopped - started < GRACE + 10  # its last writes, on a busy machine
    assert "Stopped." in leaving.log
    assert "Traceback" not in cluster.log
    assert all(task.result() for task in reading)
    waits = []
    for i, reader in enumerate(readers):
        lost = await ended_well(api, reader)
        assert asked_in_order(upstream, f"drained {i}", reader)[0] == 1 + lost
        assert lost == (1 if reader.run["id"] in left else 0)
        if lost:
            again = turns_asked(upstream, f"drained {i}")[0][1].received_at
            waits.append(again - stopped)
    assert max(waits) < LEASE_SECONDS / 2  # 0.2 s on a quiet machine


async def test_a_short_turn_ends_where_it_began(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """Within the grace nobody takes it over, and what is new goes to others at once."""
    cluster = start_cluster(webs=1, RUNSITE_DRAIN_SECONDS="20")
    api = cluster.api()
    run = await api.run("text-60x40", "short when drained")
    reader = Reader(api, run)
    reading = asyncio.create_task(reader.attach())
    await until(lambda: reader.deltas)
    leaving = await cluster.worker_of(run)
    stopping = asyncio.create_task(asyncio.to_thread(leaving.stop, signal.SIGTERM))
    await until(lambda: "Stopping" in leaving.log)
    others = [Reader(api, await api.run("text-5", f"while one drains {i}")) for i in range(10)]
    assert all(await asyncio.gather(*(other.attach() for other in others)))
    assert not stopping.done()
    assert await stopping == 0
    assert await reading
    assert await ended_well(api, reader) == 0
    assert len(turns_asked(upstream, "short when drained")[0]) == 1
    for other in others:
        assert await ended_well(api, other) == 0
        assert [worker for _, worker in cluster.claims(other.run)] == cluster.others(leaving)
