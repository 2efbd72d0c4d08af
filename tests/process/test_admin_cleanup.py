"""Threads erased from the admin, by a server that is killed in the midst of it."""

import asyncio
import os
import re
import time
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.conftest import REDIS
from tests.filled import FULL
from tests.live import LiveServer, postgres_database
from tests.process.client import Api, Reader, until
from tests.process.test_cleanup import FILL, count_in, look, shell
from tests.upstream import Upstream

pytestmark = pytest.mark.process

FIRST, DOUBLED = 125, 3  # a thousand threads
MANY = FIRST * 2**DOUBLED
LIST = "/admin/runs/thread/"


class Admin:
    """The superuser's browser."""

    def __init__(self, server: LiveServer):
        self.http = httpx.Client(
            base_url=server.url, follow_redirects=True, timeout=30, trust_env=False
        )
        self.post("/console/enter/", "/console/enter/", token=server.login_url)

    def close(self) -> None:
        """Leave."""
        self.http.close()

    def get(self, path: str) -> str:
        """A page."""
        reply = self.http.get(path)
        assert reply.status_code == 200, reply.text
        return reply.text

    def post(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Send a form that stands on a page; where that leads."""
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page))[0]
        reply = self.http.post(path, data={"csrfmiddlewaretoken": token, **fields})
        assert reply.status_code == 200, reply.text
        return reply

    def standing(self, cleanup: str) -> str:
        """How a cleanup stands, by its page."""
        return re.findall(r"It is <strong>(\w+)</strong>", self.get(cleanup))[0]


@pytest.mark.services
async def test_readers_in_another_server_are_told_of_the_cancel(upstream: Upstream) -> None:
    """The server that erases has an engine and readers of its own."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres_database(os.environ["DATABASE_URL"]))
        settings = {"RUNSITE_UPSTREAM_URL": upstream.url, "DATABASE_URL": url, "REDIS_URL": REDIS}
        theirs, other = (stack.enter_context(LiveServer(**settings)) for _ in range(2))
        async with Api(other) as api:
            run = await api.run("text-2000x20")
            reader = Reader(api, run)
            reading = asyncio.create_task(reader.attach())
            await until(lambda: len(reader.deltas) > 5)
            admin = stack.enter_context(closing(Admin(theirs)))
            row = re.findall(r'name="_selected_action" value="(\d+)"', admin.get(LIST))[0]
            cleanup = admin.post(LIST, LIST, action="erase", _selected_action=row).url.path
            planned = admin.post(cleanup, cleanup.replace("/change/", "/cancel-first/")).text
            assert "Active runs will be cancelled first." in planned
            admin.post(cleanup, cleanup.replace("/change/", "/begin/"))
            async with asyncio.timeout(30):
                assert await reading
            assert reader.names[-1] == "thread.run.cancelled"
            await until(lambda: admin.standing(cleanup) == "done")


async def test_a_server_that_is_killed_while_it_erases(upstream: Upstream) -> None:
    """What streams meanwhile is whole, what was planned is done, and nothing is done twice."""
    settings = {"RUNSITE_UPSTREAM_URL": upstream.url, "RUNSITE_LEASE_SECONDS": "2"}
    with ExitStack() as stack:
        server = stack.enter_context(LiveServer(**settings))
        shell(FILL.format(FIRST, DOUBLED), server.data_dir)
        async with Api(server) as api:
            run = await api.run("text-800x20")
            reader = Reader(api, run)
            reading = asyncio.create_task(reader.attach())
            await until(lambda: len(reader.deltas) > 5)

            admin = stack.enter_context(closing(Admin(server)))
            row = re.findall(r'name="_selected_action" value="(\d+)"', admin.get(LIST))[0]
            chosen = {"action": "erase", "select_across": "1", "_selected_action": row}
            planned = admin.post(LIST, LIST, **chosen)
            cleanup = planned.url.path
            assert "1 with an active run will be kept" in planned.text
            total = str(sum(FULL.values()) * MANY)
            assert f"Type {total}," in planned.text
            begin = cleanup.replace("/change/", "/begin/")
            admin.post(cleanup, begin, typed=total)
            await until(lambda: count_in(server.data_dir) <= MANY)
            server.kill9()
            assert not await reading
            torn = look(server.data_dir)
            assert 0 < torn["old"][0] < MANY
            assert torn["parentless"] == 0
            assert torn["done"] == [
                {name: count * (MANY - torn["old"][0]) for name, count in FULL.items()}
            ]

            server.restart()
            reading = asyncio.create_task(reader.attach())
            deadline = time.monotonic() + 60
            while admin.standing(cleanup) != "interrupted":
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)
            await asyncio.to_thread(admin.post, cleanup, begin)
            while (standing := admin.standing(cleanup)) != "done":
                assert standing == "running"
                assert time.monotonic() < deadline + 60
                await asyncio.sleep(0.2)
            left = look(server.data_dir)
            assert left["old"] == [0, 0, 0]
            assert left["parentless"] == 0
            assert left["done"] == [{name: count * MANY for name, count in FULL.items()}]
            assert "Kept, because a run is active: 1." in admin.get(cleanup)
            assert await reading
            assert reader.names[-1] == "thread.run.completed"
