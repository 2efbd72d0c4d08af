"""A hundred streaming runs are cancelled at once, by way of processes that do not drive them."""

import asyncio
import statistics
import time

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.outcome import lossless
from tests.process.client import Reader, path_of, turns_asked, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

RUNS = 100


async def test_each_is_cancelled_and_its_upstream_left(
    cluster: Cluster, upstream: Upstream
) -> None:
    """How soon one at a time is, tells bench/cancel.py."""
    tags = [f"one of many {number}" for number in range(RUNS)]
    runs = [await cluster.api(0).run("text-3000x40", tag) for tag in tags]
    readers = [Reader(cluster.api(number % 2), run) for number, run in enumerate(runs)]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers), 30)
        begun = time.monotonic()
        calls = (cluster.api(1).post(path_of(run) + "/cancel") for run in runs)
        assert {reply["status"] for reply in await asyncio.gather(*calls)} == {"cancelling"}
        answered = time.monotonic()
    assert time.monotonic() - begun < 15
    assert all(task.result() for task in reading)
    left, slow = [], 0
    for tag, reader in zip(tags, readers, strict=True):
        assert reader.names.count("thread.run.cancelled") == 1
        assert reader.names[-1] == "thread.run.cancelled"
        (asked,) = turns_asked(upstream, tag)[0]
        await until(lambda: asked.closed_at)  # noqa: B023
        left.append(asked.closed_at)
        log = Reader(cluster.api(0), reader.run)
        assert await log.attach()
        (message,) = await cluster.api(1).messages(reader.run)
        if len(cluster.claims(reader.run)) > 1:  # the machine was too slow for its lease
            lossless(reader, log, {message["id"]})
            slow += 1
            continue
        lossless(reader, log)
        said = "".join(event.delta for event in reader.deltas)
        assert [part["text"]["value"] for part in message["content"]] == [said]
    assert slow < RUNS / 4, slow
    assert statistics.median(left) < answered + 1
    assert max(left) < begun + 15
