"""Readers on web processes that do not drive the run they read."""

import asyncio
import random
from typing import Any

import pytest
import redis

from tests.chaos.cluster import Cluster
from tests.chaos.outcome import completed_once, ended_well
from tests.process.client import Reader, until
from tests.process.test_readers import Guest

pytestmark = [pytest.mark.process, pytest.mark.services]


def both(reader: Reader) -> list[tuple[int, str, Any]]:
    """What a reader saw, without the times."""
    return [(event.number, event.name, event.data) for event in reader.seen]


async def test_a_reader_that_comes_back_a_hundred_times_elsewhere(cluster: Cluster) -> None:
    """8.19: each time on another web process, after one to eight events, which are other places
    each time: its pieces put together are the log."""
    chance = random.Random(20261129)  # noqa: S311 - no secret
    run = await cluster.api(0).run("text-900x10")
    reader = Guest(cluster.api(1), run)
    for turn in range(100):
        reader.api = cluster.api(turn % 2)
        await reader.visit(chance.randint(1, 8))
    assert await reader.attach()
    log = Reader(cluster.api(0), run)
    assert await log.attach()
    assert both(reader) == both(log)
    assert await ended_well(cluster.api(1), reader) == 0


async def test_an_ended_run_is_replayed_by_any_web_process(cluster: Cluster) -> None:
    run = await cluster.api(0).run("text-60x10")
    live = Reader(cluster.api(0), run)
    assert await live.attach()
    for i in range(2):
        late = Reader(cluster.api(i), run)
        assert await late.attach()
        assert late.names[:2] == ["thread.created", "thread.run.created"]
        assert both(late) == both(live)
    assert await ended_well(cluster.api(0), live) == 0


async def test_thirty_readers_on_two_web_processes_see_the_same(cluster: Cluster) -> None:
    run = await cluster.api(0).run("text-60x20")
    readers = [Reader(cluster.api(number % 2), run) for number in range(30)]

    async def come_late(number: int, reader: Reader) -> bool:
        await asyncio.sleep(number * 0.06)  # the last one comes after the end
        return await reader.attach()

    ends = [come_late(number, reader) for number, reader in enumerate(readers)]
    assert all(await asyncio.gather(*ends))
    assert all(both(reader) == both(readers[0]) for reader in readers)
    assert await ended_well(cluster.api(1), readers[0]) == 0


async def test_a_client_that_leaves_its_create_leaves_nothing_behind(cluster: Cluster) -> None:
    """The run goes on; within a second the web process listens for its events no more."""
    api = cluster.api(0)
    created = Reader(api)
    task = asyncio.create_task(created.create(await api.prepare("text-80x40")))
    await until(lambda: len(created.deltas) >= 5)
    with redis.Redis.from_url(cluster.redis.url) as channels:

        def listened_for() -> list[bytes]:
            return list(channels.pubsub_channels(f"*{created.run['id']}*"))

        assert len(listened_for()) == 1
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: not listened_for(), 1)
    run = await api.wait(created.run, "completed", "cancelled", "failed")
    assert await completed_once(cluster.api(1), run) == set()
