"""Servers beside each other."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live import LiveServer
from tests.process.client import Api, text_of
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = pytest.mark.process


async def test_two_servers_of_one_checkout(
    start_server: Callable[..., LiveServer], upstream: Upstream
) -> None:
    one = start_server(RUNSITE_UPSTREAM_URL=upstream.url)
    two = start_server(RUNSITE_UPSTREAM_URL=upstream.url, RUNSITE_API_KEY="k" * 40)
    async with Api(one) as first, Api(two) as second:
        runs = await asyncio.gather(first.run("text-20x20"), second.run("text-30x20"))
        for api, run in ((first, runs[0]), (second, runs[1])):
            await api.wait(run, "completed")
            (message,) = await api.messages(run)
            assert text_of(message) == expected_text(run["model"])
        # Neither knows the other's objects, or keys.
        path = f"/threads/{runs[0]['thread_id']}"
        assert (await second.http.get(path)).status_code == 404
        wrong = {"Authorization": f"Bearer {one.key}"}
        assert (await second.http.get(path, headers=wrong)).status_code == 401
        assert one.stop() == 0
        again = await second.run("text-2")
        await second.wait(again, "completed")


def test_a_taken_port_is_said(start_server: Callable[..., LiveServer], tmp_path: Path) -> None:
    running = start_server()
    other = LiveServer(tmp_path / "other", RUNSITE_PORT=str(running.port))
    try:
        other.start(wait=False)
        assert other.process is not None
        assert other.process.wait(30) == 1
        assert f"cannot listen on 127.0.0.1:{running.port}" in other.log
        assert "RUNSITE_PORT" in other.log
        assert "Traceback" not in other.log
    finally:
        other.close()
