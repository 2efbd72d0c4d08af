"""Cancelling runs that another process drives, with and without Redis."""

import asyncio
import statistics
import time
from collections.abc import Callable

import pytest

from tests.chaos.cluster import Cluster
from tests.process.client import Api, Reader, path_of, reading, turns_asked, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]


async def cancel(api: Api, reader: Reader) -> float:
    """Cancel the reader's run once it has said something; the monotonic time of the answer."""
    await until(lambda: len(reader.deltas) >= 3)
    assert (await api.post(path_of(reader.run) + "/cancel"))["status"] == "cancelling"
    return time.monotonic()


@pytest.mark.parametrize("model", ["text-1000x20", "silent-3"])
async def test_a_cancel_reaches_the_upstream_through_another_process(
    cluster: Cluster, upstream: Upstream, model: str
) -> None:
    """8.13: while the text streams, or the model is silent. Usually within 150 ms of the answer,
    on a busy machine too. (Embedded: tests/process/test_cancel.py.)"""
    took = []
    for number in range(10):
        tag = f"far away {model} {number}"
        run = await cluster.api(0).run(model, tag)
        reader = Reader(cluster.api(1), run)
        async with reading(reader) as task:
            answered_at = await cancel(cluster.api(1), reader)
            assert await task
        assert reader.names[-1] == "thread.run.cancelled"
        assert (await cluster.api(0).retrieve(run))["status"] == "cancelled"
        (asked,) = turns_asked(upstream, tag)[0]
        await until(lambda asked=asked: asked.closed_at)
        took.append(asked.closed_at - answered_at)
        log = await cluster.api(0).log(run)
        assert [event.number for event in log] == [event.number for event in reader.seen]
    assert statistics.median(took) < 0.15, took
    assert max(took) < 1, took


@pytest.mark.parametrize("model", ["text-1000x20", "silent-3"])
async def test_a_cancel_without_redis_ends_the_run_all_the_same(
    start_cluster: Callable[..., Cluster], upstream: Upstream, model: str
) -> None:
    """8.14: the driver learns it from its next write, or from a look of its process if the model
    is silent. It renews its lease much later than it may take."""
    cluster = start_cluster(RUNSITE_LEASE_SECONDS="30")
    cluster.redis.stop()
    took = []
    for number in range(5):
        tag = f"no Redis {model} {number}"
        run = await cluster.api(0).run(model, tag)
        reader = Reader(cluster.api(1), run)
        async with reading(reader) as task:
            answered_at = await cancel(cluster.api(1), reader)
            await cluster.api(0).wait(run, "cancelled")
            took.append(time.monotonic() - answered_at)
            assert await task
        assert reader.names[-1] == "thread.run.cancelled"
        (asked,) = turns_asked(upstream, tag)[0]
        await until(lambda asked=asked: asked.closed_at)
        assert asked.closed_at < answered_at + 5
    assert statistics.median(took) < 1.5, took
    assert max(took) < 5, took


async def test_queued_and_waiting_runs_are_cancelled_without_redis(cluster: Cluster) -> None:
    """8.14: nobody drives them: the answer to the call is the end."""
    waiting = await cluster.api().run("tools-1-then-text-1")
    waiting = await cluster.api().wait(waiting, "requires_action")
    cluster.redis.stop()
    for worker in cluster.workers:
        worker.pause()
    queued = await cluster.api().run("text-1")
    started = time.monotonic()
    for run in (waiting, queued):
        reply = await cluster.api(1).post(path_of(run) + "/cancel")
        assert reply["status"] == "cancelled"
    assert time.monotonic() - started < 1.5
    for worker in cluster.workers:
        worker.resume()
    await asyncio.sleep(1)  # the hint for the queued one is out of date
    for run in (waiting, queued):
        assert (await cluster.api().retrieve(run))["status"] == "cancelled"
