"""A worker is asked to stop while it streams, and others are there, or itself again."""

import asyncio
import signal
import statistics
import time
from collections.abc import Callable

import pytest

from tests.chaos.cluster import Cluster, Embedded, Site, Worker, read_through
from tests.chaos.outcome import asked_in_order, ended_well
from tests.process.client import Reader, turns_asked, until
from tests.upstream import Upstream
from tests.upstream_script import text, token

pytestmark = pytest.mark.process

RUNS = 50
GRACE = 1  # RUNSITE_DRAIN_SECONDS
LEASE_SECONDS = 30  # so long that nobody waits for its end
SETTINGS = {"RUNSITE_LEASE_SECONDS": str(LEASE_SECONDS), "RUNSITE_DRAIN_SECONDS": str(GRACE)}
ENDLESS = [text(token(i), 0.25) for i in range(1000)]  # what is lost; the rest of it comes faster
MODEL = "text-100x40"


async def fifty(site: Site, upstream: Upstream, tag: str) -> list[Reader]:
    """Runs that have begun to stream and would not end by themselves."""
    upstream.play(*[ENDLESS] * RUNS)
    runs = await asyncio.gather(*(site.api().run(MODEL, f"{tag} {i}") for i in range(RUNS)))
    return [Reader(site.api(), run) for run in runs]


async def resumed(
    site: Site, upstream: Upstream, tag: str, readers: list[Reader], ready: float = 0.0
) -> None:
    """Each run was lost once, and completed. Half of them were with nobody for at most a second,
    and as long as this machine, which may be busy, took to begin with all of them at first: from
    when the one who left closed its connection to the model, or from when the next one was
    ``ready``, until that one asked the model again."""
    begun, waits = [], []
    for i, reader in enumerate(readers):
        assert await ended_well(site.api(), reader) == 1
        assert asked_in_order(upstream, f"{tag} {i}", reader) == {0: 2}
        left, again = turns_asked(upstream, f"{tag} {i}")[0]
        assert left.closed_at
        begun.append(left.received_at)
        waits.append(again.received_at - max(left.closed_at, ready))
    pace = max(begun) - min(begun)
    assert statistics.median(waits) < 1 + pace, (pace, waits)
    assert max(waits) < 5 + pace, (pace, waits)
    assert 5 + pace < LEASE_SECONDS / 2


@pytest.mark.services
async def test_what_a_stopped_worker_streamed_goes_on_at_once(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """8.28: not when the leases run out: they are given back. Nothing fails."""
    cluster, tag = start_cluster(webs=1, workers=1, **SETTINGS), "drained"
    readers = await fifty(cluster, upstream, tag)
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers), 30)
        leaving, other = cluster.workers[0], cluster.add(Worker)
        await asyncio.to_thread(other.start)
        assert await asyncio.to_thread(leaving.stop, signal.SIGTERM, GRACE + 10) == 0
    assert all(task.result() for task in reading)
    assert "Stopped." in leaving.log
    assert "Traceback" not in cluster.log
    for reader in readers:
        assert [worker for _, worker in cluster.claims(reader.run)] == [leaving, other]
    await resumed(cluster, upstream, tag, readers)


async def test_what_a_stopped_server_streamed_goes_on_once_it_is_back(
    start_embedded: Callable[..., Embedded], upstream: Upstream
) -> None:
    """8.28, embedded: its readers come back, too."""
    server, tag = start_embedded(**SETTINGS), "restarted"
    (process,) = server.processes
    readers = await fifty(server, upstream, tag)
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read_through(reader)) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers), 30)
        assert await asyncio.to_thread(process.stop, signal.SIGTERM, GRACE + 10) == 0
        await asyncio.to_thread(process.start)
        started = time.monotonic()
    assert all(task.result() > 1 for task in reading)
    assert "Traceback" not in server.log
    await resumed(server, upstream, tag, readers, started)


@pytest.mark.services
async def test_a_short_turn_ends_where_it_began(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """8.28: within the grace nobody takes it over, and what is new goes to others at once."""
    cluster = start_cluster(webs=1, RUNSITE_DRAIN_SECONDS="20")
    api = cluster.api()
    run = await api.run("text-200x40", "short when drained")
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
