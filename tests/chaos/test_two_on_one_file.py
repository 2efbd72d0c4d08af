"""Two servers on one SQLite file, each of which executes runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from tests.chaos.cluster import LEASE_SECONDS, TAKEOVER_SECONDS, Embedded
from tests.chaos.outcome import asked_in_order, ended_well
from tests.live import LiveServer
from tests.process.client import Reader, turns_asked, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.sqlite]


@pytest.fixture
async def two(upstream: Upstream) -> AsyncIterator[Embedded]:
    """A site of two processes that share a data directory."""
    with ExitStack() as stack:
        site = Embedded(stack, RUNSITE_UPSTREAM_URL=upstream.url)
        (one,) = site.webs
        other = LiveServer(one.data_dir, **(one.settings | {"RUNSITE_PORT": "0"}))
        stack.callback(other.close)
        site.webs.append(await asyncio.to_thread(other.start))
        yield site
        for api in site.apis.values():
            await api.http.aclose()


async def test_every_run_has_one_driver(two: Embedded, upstream: Upstream) -> None:
    """However its hint and the looks of two watchdogs meet; readers may ask either."""
    model = "tools-1-then-text-30x20"
    runs = [await two.api(i % 2).run(model, f"shared {i}") for i in range(20)]
    readers = [Reader(two.api((i + 1) % 2), run) for i, run in enumerate(runs)]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach("?follow=1")) for reader in readers]
        for i, run in enumerate(runs):
            api = two.api(i // 2 % 2)
            await api.answer(await api.wait(run, "requires_action"))
    assert all(task.result() for task in reading)
    for i, reader in enumerate(readers):
        assert await ended_well(two.api(i % 2), reader) == 0
        assert asked_in_order(upstream, f"shared {i}", reader) == {0: 1, 1: 1}


async def test_one_goes_on_with_what_the_other_left(two: Embedded, upstream: Upstream) -> None:
    other = two.api(1)
    runs = [await two.api(i % 2).run("text-150x40", f"left {i}") for i in range(10)]
    readers = [Reader(other, run) for run in runs]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(len(reader.deltas) >= 5 for reader in readers))
        two.webs[0].kill9()
        killed_at = time.monotonic()
    assert all(task.result() for task in reading)
    taken = 0
    for i, reader in enumerate(readers):
        lost = await ended_well(other, reader)
        assert asked_in_order(upstream, f"left {i}", reader)[0] == 1 + lost
        if lost:
            taken += 1
            again = turns_asked(upstream, f"left {i}")[0][1].received_at
            assert LEASE_SECONDS / 2 < again - killed_at < TAKEOVER_SECONDS
    assert taken == len(runs) // 2  # each had driven what it had created
