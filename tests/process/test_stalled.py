"""Readers that take nothing of what they asked for."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.live import LiveServer
from tests.process.client import (
    Api,
    Reader,
    Wire,
    path_of,
    reading,
    until,
)
from tests.upstream import Upstream
from tests.upstream_script import Plan, gate, text, token

pytestmark = pytest.mark.process


@contextlib.asynccontextmanager
async def stalled(api: Api, run: Wire) -> AsyncIterator[socket.socket]:
    """A connection that asks for the stream of a run, and takes nothing of it."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", api.server.port))
        lines = [
            f"GET /v1{path_of(run)}/stream HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: close",
        ]
        lines += [f"{name}: {value}" for name, value in api.server.headers().items()]
        reader.sendall("\r\n".join([*lines, "", ""]).encode())
        yield reader


async def read_beside(api: Api, upstream: Upstream) -> None:
    """Each word of another run arrives before its model says the next one."""
    gates = [f"word {n} beside" for n in range(20)]
    upstream.play([step for name in gates for step in (text(f"{name} "), gate(name))])
    other = Reader(api, await api.run("beside", "beside"))
    async with reading(other) as beside:
        for n, name in enumerate(gates):
            await until(lambda: len(other.deltas) == n + 1, 60)  # noqa: B023
            upstream.open(name)
        assert await beside


@contextlib.asynccontextmanager
async def read_by_one(
    api: Api, upstream: Upstream, plan: Plan, readers: int
) -> AsyncIterator[Reader]:
    """Whoever has read all of a run that says ``plan``, while so many others have taken nothing."""
    upstream.play([text("begin"), gate("all are here"), text("go"), *plan])
    run = await api.run("huge")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(readers):
            await stack.enter_async_context(stalled(api, run))
        reader = Reader(api, run)
        fast = asyncio.create_task(reader.attach())
        upstream.open("all are here")
        await until(lambda: len(reader.deltas) > 2)
        await read_beside(api, upstream)
        assert await fast
        yield reader


async def test_stalled_readers_cost_nobody_anything(api: Api, upstream: Upstream) -> None:
    """Readers that take nothing of 8 MB each: others read on, memory stays bounded."""
    piece, pieces, readers = "x" * 4000, 2000, 24
    plan = [text(piece)] * pieces
    upstream.play(plan)
    assert await Reader(api).create(await api.prepare("huge"))  # the same without them
    before = api.server.memory

    async with read_by_one(api, upstream, plan, readers) as reader:
        # Unbounded, each of them would hold all 8 MB, in several copies.
        assert api.server.memory - before < readers * 5_500_000
    assert "".join(event.delta for event in reader.deltas) == "begingo" + piece * pieces


#: An ended run with 200 MB of events: 1600 rows of the largest kind. Prints it.
LARGE_RUN = """
import json
from runs.events.log import Event
from runs.models import EventChunk
from runs.operations.access import default_project
from tests.factories import make_run, make_thread
run = make_run(make_thread(default_project()), "completed", last_number=51_200)
data = json.dumps({"object": "thread.message.delta", "text": "x" * 3840})
for row in range(0, 1600, 100):
    EventChunk.objects.bulk_create(
        EventChunk(
            run=run, first_number=first, last_number=first + 31, epoch=run.epoch,
            body="".join(
                Event(number, number - 1, "thread.message.delta", data).frame()
                for number in range(first, first + 32)
            ),
        )
        for first in range(row * 32 + 1, (row + 100) * 32 + 1, 32)
    )
print(json.dumps({"id": run.id, "thread_id": run.thread_id}))
"""


async def test_a_reader_that_never_reads_costs_no_more_however_much_there_is(
    mortal: Callable[..., Api],
) -> None:
    """8.21: of 200 MB less than 10 are held for it. Somebody else reads all of it meanwhile, so
    that the server has had the time to send it to both; what that costs is measured first."""
    api = mortal()
    await costs_no_more(api, large_run(api.server))


def large_run(server: LiveServer) -> Wire:
    """A run with 200 MB of events, on a server's database."""
    made = server.manage("shell", "--no-imports", "-c", LARGE_RUN).stdout
    return dict(json.loads(made.splitlines()[-1]))


async def costs_no_more(api: Api, run: Wire) -> None:
    """A reader that takes nothing of a large run costs its web process less than 10 MB."""
    alone = await most_memory(api.server, read_all(api, run))
    async with stalled(api, run):
        beside = await most_memory(api.server, read_all(api, run))
    assert beside - alone < 10_000_000


async def test_readers_that_stall_do_not_slow_down_others(
    mortal: Callable[..., Api], upstream: Upstream
) -> None:
    """8.21: tokens of another run come as soon as without twenty of them, in the best of three
    comparisons."""
    api = mortal()
    await others_are_as_soon(api, upstream, large_run(api.server))


async def others_are_as_soon(api: Api, upstream: Upstream, large: Wire) -> None:
    """The 99th percentile of the delays beside readers of ``large`` that take nothing is at most
    twice what it is without them, and 50 ms."""
    await delays(api, upstream, "warm", 50)
    found = []
    for number in range(3):
        alone = await delays(api, upstream, f"alone {number}", 250)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(stalled(api, large))
            await asyncio.sleep(2)  # each has been sent what it has room for
            beside = await delays(api, upstream, f"beside {number}", 250)
        found.append((percentile(alone, 99), percentile(beside, 99)))
        if found[-1][1] <= 2 * found[-1][0] + 50:
            return
    raise AssertionError(f"milliseconds alone and beside: {found}")


def percentile(values: list[float], share: int) -> float:
    """What so many of a hundred do not exceed."""
    return sorted(values)[len(values) * share // 100]


async def delays(api: Api, upstream: Upstream, name: str, count: int) -> list[float]:
    """How long each token of a new run took from the model to a reader, in milliseconds, with
    fifty of them in a second."""
    upstream.play([step for n in range(count) for step in (gate(f"{name} {n}"), text(token(n)))])
    reader = Reader(api, await api.run("beside", name))
    attached = asyncio.create_task(reader.attach())
    sent = []
    for number in range(count):
        await asyncio.sleep(0.02)
        sent.append(time.monotonic())
        upstream.open(f"{name} {number}")
    await until(lambda: len(reader.deltas) == count, 60)
    await attached
    return [1000 * (got.at - at) for got, at in zip(reader.deltas, sent, strict=True)]


async def read_all(api: Api, run: Wire) -> None:
    """Read a run's 200 MB."""
    size = 0
    async with api.http.stream("GET", path_of(run) + "/stream", timeout=60) as reply:
        async for piece in reply.aiter_raw():
            size += len(piece)
    assert size > 200_000_000


async def most_memory(server: LiveServer, work: Coroutine[Any, Any, None]) -> int:
    """The most memory that a server holds while something goes on."""
    most, task = 0, asyncio.create_task(work)
    while not task.done():
        most = max(most, server.memory)
        await asyncio.sleep(0.01)
    await task
    return most
