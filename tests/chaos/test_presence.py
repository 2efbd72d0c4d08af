"""A dead worker is missed at once, long before its leases have run out."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaos.cluster import Cluster, read_through
from tests.chaos.outcome import ended_well
from tests.process.client import Reader, until

pytestmark = [pytest.mark.process, pytest.mark.services]

LEASES = {"RUNSITE_LEASE_SECONDS": "60"}
#: A look of the watchdog and a claim, on a machine that is busy with the rest of the suite.
SOON = 5
CLOSED = "thread.message.incomplete"


async def begin(cluster: Cluster, tag: str) -> list[tuple[Reader, asyncio.Task[int]]]:
    """Six runs in mid-text, and who reads them to their end."""
    runs = [await cluster.api().run("text-100x30", f"{tag} {number}") for number in range(6)]
    readers = [Reader(cluster.api(), run) for run in runs]
    begun = [(reader, asyncio.create_task(read_through(reader))) for reader in readers]
    await until(lambda: all(len(reader.deltas) >= 5 for reader in readers))
    return begun


async def test_the_runs_of_a_killed_worker_go_on_at_once(
    start_cluster: Callable[..., Cluster],
) -> None:
    """By the other worker, or by the same one once it is started again."""
    cluster = start_cluster(webs=1, **LEASES)
    one, two = cluster.workers
    for alone in (False, True):
        if alone:
            assert await asyncio.to_thread(two.stop) == 0
        begun = await begin(cluster, f"missed {alone}")
        cut = [reader for reader, _ in begun if await cluster.worker_of(reader.run) is one]
        one.kill9()
        if alone:
            await asyncio.to_thread(one.start)
        since = time.monotonic()
        for reader, reading in begun:
            assert await reading == 1
            assert await ended_well(cluster.api(), reader) == int(reader in cut)
        assert cut
        took = [reader.seen[reader.names.index(CLOSED)].at - since for reader in cut]
        assert max(took) < SOON, took
        if not alone:
            await asyncio.to_thread(one.start)


async def test_nobody_is_missed_because_postgresql_was_restarted(
    start_cluster: Callable[..., Cluster],
) -> None:
    """All locks are gone then. Workers that come back keep what they drive."""
    cluster = start_cluster(webs=1, **LEASES)
    begun = await begin(cluster, "restarted")
    await asyncio.to_thread(cluster.postgres.stop, signal.SIGINT)
    await asyncio.to_thread(cluster.postgres.start)
    for reader, reading in begun:
        await reading
        assert await ended_well(cluster.api(), reader) == 0
    claims = Counter(len(cluster.claims(reader.run)) for reader, _ in begun)
    assert claims == {1: len(begun)}
