"""The language model on this machine, where it is installed."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from tests.live import LiveServer
from tests.process.client import Api, Reader, assert_gone, family_of, until

pytestmark = [pytest.mark.process, pytest.mark.model]


async def test_a_streamed_run_and_no_process_left(start_server: Callable[..., LiveServer]) -> None:
    server = start_server(RUNSITE_UPSTREAM_URL="")
    async with Api(server) as api:
        reader = Reader(api)
        body = await api.prepare("gpt-4o", "Say hello.", max_completion_tokens=40)
        assert await reader.create(body)
        assert reader.names[-1] in ("thread.run.completed", "thread.run.incomplete")
        assert len(reader.deltas) > 1
        assert reader.run["usage"]["completion_tokens"] <= 40
        reply = await api.http.get(f"/threads/{reader.run['thread_id']}/runs/{reader.run['id']}")
        warning = reply.headers["x-runsite-warning"]
        assert "SmolLM2" in warning
        assert "gpt-4o" in warning

        long = Reader(api, await api.run("gpt-4o", "Tell me a long story about a lighthouse."))
        reading = asyncio.create_task(long.attach())
        await until(lambda: long.deltas, 60)
        family = family_of(server.pid)
        assert len(family) > 1
        server.kill9()
        assert not await reading
    assert_gone(family)


async def test_it_ends_with_its_server(start_server: Callable[..., LiveServer]) -> None:
    server = start_server(RUNSITE_UPSTREAM_URL="", RUNSITE_DRAIN_SECONDS="1")
    async with Api(server) as api:
        run = await api.run("gpt-4o", "Tell me a long story about a lighthouse.")
        reader = Reader(api, run)
        task = asyncio.create_task(reader.attach())
        await until(lambda: reader.deltas, 60)
        family = family_of(server.pid)
        assert await asyncio.to_thread(server.stop, signal.SIGTERM) == 0
        await task
    assert_gone(family)
