"""What waits holds no connection of the database."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator

import pytest

from tests.live import LiveServer, postgres_database
from tests.process.client import Api, Reader, Wire, path_of, reading, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process

POLL = {"X-Stainless-Poll-Helper": "true"}


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a database of our own, dropped at the end."""
    with postgres_database(os.environ["DATABASE_URL"]) as url:
        yield url


class Polls:
    """Polls as the SDK's helpers send them, and the GETs that are answered while one is held."""

    def __init__(self, api: Api):
        self.api = api
        self.gets = 0
        self.beside: list[int] = []  # for each poll that was answered: the GETs meanwhile

    async def poll(self, run: Wire) -> None:
        """Poll until cancelled."""
        while True:
            started, before = time.monotonic(), self.gets
            reply = await self.api.http.get(path_of(run), headers=POLL)
            assert reply.status_code == 200, reply.text
            assert time.monotonic() - started > 0.7  # it was held
            self.beside.append(self.gets - before)
            await asyncio.sleep(int(reply.headers["openai-poll-after-ms"]) / 1000)

    async def get_beside(self, path: str, many: int) -> None:
        """GET one after the other until ``many`` were answered while one poll was held."""
        self.beside.clear()
        async with asyncio.timeout(120):
            while max(self.beside, default=0) < many:
                await self.api.get(path)
                self.gets += 1


async def crowd(api: Api, waiters: int = 50) -> None:
    """Open streams and held polls on as many runs; GETs and new runs go on beside them.

    Nothing is compared with a clock. If a stream held a connection, nothing would be answered
    at all; if a poll did while it is held, a GET would stand behind the polls that do not fit,
    and three at most would be answered meanwhile.
    """
    runs = await asyncio.gather(*(api.run("silent-2", f"waits {i}") for i in range(waiters)))
    readers = [Reader(api, run) for run in runs]
    streams = [asyncio.create_task(reader.attach()) for reader in readers]
    await until(lambda: all(len(reader.deltas) == 2 for reader in readers), 120)
    some = Polls(api)
    polls = [asyncio.create_task(some.poll(run)) for run in runs[:12]]
    try:
        await until(lambda: len(some.beside) >= 12, 120)
        for path in (path_of(runs[0]), path_of(runs[0]) + "/steps"):
            await some.get_beside(path, 8)
        rest = Polls(api)
        polls += [asyncio.create_task(rest.poll(run)) for run in runs[12:]]
        reader = Reader(api)
        assert await reader.create(await api.prepare("text-5"))
        assert reader.names[-1] == "thread.run.completed"
        await until(lambda: len(rest.beside) >= 2 * len(runs[12:]), 120)
        assert not any(task.done() for task in [*streams, *polls])
    finally:
        for task in [*streams, *polls]:
            task.cancel()
        await asyncio.gather(*streams, *polls, return_exceptions=True)


async def test_on_sqlite(api: Api) -> None:
    await crowd(api)


@pytest.mark.services
async def test_on_a_pool_of_four(
    start_server: Callable[..., LiveServer], upstream: Upstream, postgres: str
) -> None:
    server = start_server(
        DATABASE_URL=postgres, RUNSITE_POOL_SIZE="4", RUNSITE_UPSTREAM_URL=upstream.url
    )
    async with Api(server) as api:
        await crowd(api)
        run = await api.run("text-30x20")
        reader = Reader(api, run)
        async with reading(reader) as task:
            assert await task
        assert reader.names[-1] == "thread.run.completed"
