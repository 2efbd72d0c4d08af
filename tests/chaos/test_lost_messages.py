"""Live messages get lost between the processes; readers lose nothing."""

import asyncio

import pytest

from tests.chaos.cluster import Cluster, Web
from tests.chaos.proxy import Proxy
from tests.process.client import Api, Reader, turns_asked
from tests.process.test_kill import assert_lossless
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.services]

MODEL = "text-300x20"


async def test_readers_get_all_events_in_order_though_their_connection_to_redis_breaks(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.18: the layer that we use has no capacity; messages are lost while it is disconnected,
    here again and again. (Overflow of the hub, for embedded: tests/events/test_hub.py and
    test_follow.py.)"""
    with Proxy(cluster.redis.url) as proxy, cluster.guest(Web, REDIS_URL=proxy.url) as web:
        async with Api(web) as api:
            runs = [await api.run(MODEL, f"capacity {i}") for i in range(4)]
            readers = [Reader(api, run) for run in runs]
            reading = [asyncio.create_task(reader.attach()) for reader in readers]
            cuts = []
            while not all(task.done() for task in reading):
                await asyncio.sleep(0.1)
                if proxy.connections:
                    heard = [len(reader.deltas) for reader in readers]
                    cuts.append((proxy.drop(), heard))
            assert all(task.result() for task in reading)
        # Connections were there to be cut, in mid-text of each reader.
        for number in range(len(readers)):
            places = {heard[number] for cut, heard in cuts if cut and 0 < heard[number] < 300}
            assert len(places) >= 5, cuts
    for i, (reader, run) in enumerate(zip(readers, runs, strict=True)):
        log = await cluster.api().log(run)
        assert log[-1].name == "thread.run.completed"
        assert [event.number for event in reader.seen] == [event.number for event in log]
        assert len(reader.deltas) == 300
        assert_lossless(reader, log)
        assert len(turns_asked(upstream, f"capacity {i}")[0]) == 1
