"""PostgreSQL is away for so long that whoever connects is refused, again and again."""

import asyncio
import signal
import time

import pytest

from tests.chaos.cluster import Cluster
from tests.process.client import until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

#: Those that have just begun to: half a minute later their last query is another.
LISTENING = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
#: A pool that doubles its pauses would connect after 31 s, and then after 63.
AWAY_SECONDS = 34
SOON_SECONDS = 12


async def test_all_is_as_before_soon_after_an_outage(cluster: Cluster, upstream: Upstream) -> None:
    """Runs begin, and workers hear of them at once, on connections of their own."""
    await asyncio.to_thread(cluster.postgres.stop, signal.SIGINT)
    stopped_at = time.monotonic()
    while time.monotonic() - stopped_at < AWAY_SECONDS:
        assert (await cluster.api().http.get("/threads")).status_code == 503
        await asyncio.sleep(0.2)
    await asyncio.to_thread(cluster.postgres.start)
    started_at = time.monotonic()
    while (await cluster.api().http.get("/threads")).status_code != 200:
        assert time.monotonic() - started_at < SOON_SECONDS
        await asyncio.sleep(0.05)
    run = await cluster.api().run("text-3", "after the outage")
    await cluster.api().wait(run, "completed", seconds=SOON_SECONDS)
    await until(lambda: cluster.query(LISTENING)[0]["n"] == len(cluster.workers), SOON_SECONDS)
