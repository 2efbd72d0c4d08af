"""Many readers of one run: early, late, slow, coming back, going away."""

import asyncio
import math
import random
import statistics
import time
from typing import Any

import httpx
import pytest

from tests.process.client import (
    Api,
    Reader,
    path_of,
    reading,
    text_of,
    turns_asked,
    until,
)
from tests.process.telling import Telling
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = pytest.mark.process


def both(reader: Reader) -> list[tuple[int, str, Any]]:
    """What a reader saw, without the times."""
    return [(event.number, event.name, event.data) for event in reader.seen]


async def test_all_readers_see_the_same(api: Api) -> None:
    run = await api.run("text-60x20")
    readers = [Reader(api, run) for _ in range(30)]

    async def come_late(number: int, reader: Reader) -> bool:
        await asyncio.sleep(number * 0.06)  # the last one comes after the end
        return await reader.attach()

    ends = [come_late(number, reader) for number, reader in enumerate(readers)]
    assert all(await asyncio.gather(*ends))
    late = Reader(api, run)
    assert await late.attach()
    assert late.names[:2] == ["thread.created", "thread.run.created"]
    assert late.names[-1] == "thread.run.completed"
    assert "".join(event.delta for event in late.deltas) == expected_text("text-60x20")
    assert all(both(reader) == both(late) for reader in readers)


class Guest(Reader):
    """Leaves once it has seen so many further events."""

    last = math.inf  # how many it will have seen in all

    async def visit(self, count: int) -> None:
        """See ``count`` events, and leave in the middle of the stream."""
        self.last = len(self.seen) + count
        assert not await self.attach()
        assert len(self.seen) == self.last
        self.last = math.inf

    def _take(self, fields: dict[str, str]) -> None:
        super()._take(fields)
        if len(self.seen) == self.last:
            raise httpx.ReadError("it has seen enough")


async def test_a_reader_that_comes_back_a_hundred_times(api: Api) -> None:
    """After one to eight events each time: its pieces put together are the log."""
    chance = random.Random(20261123)  # noqa: S311 - no secret
    run = await api.run("text-900x10")
    reader = Guest(api, run)
    for _ in range(100):
        await reader.visit(chance.randint(1, 8))
    assert await reader.attach()
    log = Reader(api, run)
    assert await log.attach()
    assert both(reader) == both(log)


async def test_a_reader_that_leaves_does_not_cancel(api: Api) -> None:
    created = Reader(api)
    task = asyncio.create_task(created.create(await api.prepare("text-30x20")))
    await until(lambda: created.deltas)
    attached = Reader(api, created.run)
    async with reading(attached):
        await until(lambda: attached.deltas)
    task.cancel()
    await asyncio.wait([task])
    run = await api.wait(created.run, "completed", "cancelled", "failed")
    assert run["status"] == "completed"
    (message,) = await api.messages(run)
    assert text_of(message) == expected_text("text-30x20")


async def readers_of(server: Telling) -> int:
    """How many readers the server's process has now."""
    server.ask()
    await until(server.told.exists)
    return int(server.told.read_text())


async def test_a_client_that_leaves_its_create_leaves_nothing_behind(upstream: Upstream) -> None:
    """8.22: usually within a second its process has no reader any more; the run goes on."""
    model, took = "text-80x40", []
    with Telling(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        async with Api(server) as api:
            for number in range(3):
                created = Reader(api)
                body = await api.prepare(model, f"left {number}")
                task = asyncio.create_task(created.create(body))
                await until(lambda created=created: len(created.deltas) >= 5)
                assert await readers_of(server) == 1
                task.cancel()
                await asyncio.wait([task])
                left_at = time.monotonic()
                while await readers_of(server):
                    assert time.monotonic() < left_at + 10
                took.append(time.monotonic() - left_at)
                assert (await api.retrieve(created.run))["status"] == "in_progress"
                await api.wait(created.run, "completed", "cancelled", "failed")
                (message,) = await api.messages(created.run)
                assert text_of(message) == expected_text(model)
                assert len(turns_asked(upstream, f"left {number}")[0]) == 1
    assert statistics.median(took) < 1, took


async def test_a_number_beyond_the_end_is_waited_for(api: Api) -> None:
    run = await api.run("text-60x20")
    reader = Reader(api, run)
    async with reading(reader):
        await until(lambda: len(reader.deltas) > 5)
        beyond = Reader(api, run)
        ahead = reader.seen[-1].number + 20
        assert await beyond.attach(last=ahead)
    assert beyond.seen[0].number == ahead + 1
    assert beyond.names[-1] == "thread.run.completed"
    for query in ("", "?follow=1"):
        nothing = Reader(api, run)
        assert await nothing.attach(query, last=10**9)
        assert nothing.seen == []


async def test_the_query_parameter_does_as_well(api: Api) -> None:
    run = await api.wait(await api.run("text-5"), "completed")
    reader, rest = Reader(api, run), Reader(api, run)
    assert await reader.attach()
    assert await rest.attach(f"?after={reader.seen[6].number}")
    assert both(rest) == both(reader)[7:]
    reply = await api.http.get(path_of(run) + "/stream?after=seven")
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "after"


async def test_following_through_a_pause(api: Api) -> None:
    run = await api.run("tools-1-then-text-5")
    follower, other = Reader(api, run), Reader(api, run)
    async with reading(follower, "?follow=1") as following:
        assert await other.attach()
        assert other.names[-1] == "thread.run.requires_action"
        await until(lambda: follower.names[-1:] == other.names[-1:])
        await api.answer(await api.retrieve(run))
        assert await following
    assert await other.attach()
    assert both(other) == both(follower)
    assert follower.names[-1] == "thread.run.completed"
    # An attached reader replays through the pause as well.
    whole = Reader(api, run)
    assert await whole.attach()
    assert both(whole) == both(follower)


async def test_a_deleted_thread_ends_its_streams(api: Api) -> None:
    run = await api.run("text-500x20")
    reader = Reader(api, run)
    async with reading(reader) as task:
        await until(lambda: reader.deltas)
        reply = await api.http.delete(f"/threads/{run['thread_id']}")
        assert reply.json()["deleted"]
        assert await task
    assert reader.names[-1] == "thread.run.cancelled"
    assert (await api.http.get(path_of(run) + "/stream")).status_code == 404
