"""Many runs while processes die and come back, again and again.

``RUNSITE_TEST_STORM=full`` has 200 runs in a storm of a minute, with leases as long as they are by
default, and prints its figures::

    RUNSITE_TEST_STORM=full pytest -s -n0 tests/chaos/test_storm.py

With ``RUNSITE_TEST_PACE=2`` it has twice the time for everything, leases included.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable

import pytest
from django.conf import settings

from tests.chaos.cluster import LEASE_SECONDS, Cluster
from tests.chaos.outcome import asked_in_order, ended_well, stored_once
from tests.chaos.storm import MODEL, PACE, TURNS, Client, Storm
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

FULL = os.environ.get("RUNSITE_TEST_STORM") == "full"
RUNS, SECONDS = (200, 60.0 * PACE) if FULL else (20, 15.0 * PACE)
LEASE = (settings.RUNSITE_LEASE_SECONDS if FULL else LEASE_SECONDS) * PACE
AFTERWARDS = 180.0  # for what has not ended when the storm is over


async def test_a_storm_loses_and_doubles_nothing(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    cluster = start_cluster(RUNSITE_LEASE_SECONDS=str(LEASE))
    template = await cluster.api().prepare(MODEL)
    clients = [Client(cluster, number) for number in range(RUNS)]
    seed = random.randrange(2**32)  # noqa: S311 - no secret
    storm = Storm(cluster, random.Random(seed))  # noqa: S311 - no secret

    async def come(client: Client, after: float) -> None:
        await asyncio.sleep(after)
        thread = {"messages": [{"role": "user", "content": client.tag}]}
        await client.work({**template, "thread": thread})

    begun = time.monotonic()
    raging = asyncio.create_task(storm.rage(SECONDS))
    # They come all through the storm, the last ones shortly before its end.
    works = [come(client, i * (SECONDS - 2) / RUNS) for i, client in enumerate(clients)]
    async with asyncio.timeout(SECONDS + AFTERWARDS):
        await asyncio.gather(raging, *works)
    took = time.monotonic() - begun

    lost = asked = 0
    for client in clients:
        lost += await ended_well(cluster.api(), client.reader)
        counts = asked_in_order(upstream, client.tag, client.reader)
        assert sorted(counts) == list(range(TURNS))
        asked += counts.total()
        stored_once(cluster, client.reader.run)
    pauses = sorted(pause for client in clients for pause in client.pauses(storm))
    figures = (
        f"{RUNS} runs of {TURNS} turns in {took:.0f} s, seed {seed}; killed: "
        f"{sum(process in cluster.workers for process, _ in storm.killed)} workers, "
        f"{sum(process in cluster.webs for process, _ in storm.killed)} web processes; "
        f"{asked} calls of the upstream, {lost} attempts lost in mid-text; longest pauses: "
        + ", ".join(f"{pause:.1f}" for pause in pauses[-5:])
        + " s"
    )
    if FULL:
        print(figures)  # noqa: T201
    assert len(storm.killed) >= 5, figures
    assert asked > RUNS * TURNS, figures  # the storm was felt
    assert pauses[-1] < LEASE + PACE * (3 if FULL else 8), figures
