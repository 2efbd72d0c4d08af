"""``deploy/compose.yaml``, carried out: started, used, restarted one by one, stopped."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.live import EMPTY, ROOT, postgres_database
from tests.process.client import Api, Reader, Wire, text_of, until
from tests.process.deployed import Compose
from tests.process.test_admin_cleanup import Admin
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = [pytest.mark.process, pytest.mark.services]


@pytest.fixture
def compose(tmp_path: Path, upstream: Upstream) -> Iterator[Compose]:
    """All services, to be started."""
    folder = tmp_path / "deploy"
    shutil.copytree(ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets"))
    with postgres_database(os.environ["DATABASE_URL"], EMPTY) as url:
        compose = Compose(folder, url, {"RUNSITE_UPSTREAM_URL": upstream.url})
        try:
            yield compose
        finally:
            compose.close()


@pytest.fixture
async def through(compose: Compose) -> AsyncIterator[Api]:
    """The API through the proxy, each call on a connection of its own."""
    server: Any = compose  # has of a server what is asked for
    async with Api(server) as api:
        await api.http.aclose()
        api.http = httpx.AsyncClient(
            base_url=compose.base_url,
            headers=compose.headers(),
            timeout=30,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )
        yield api


async def start_all(compose: Compose) -> None:
    """All services, in their order."""
    for name in compose.order:
        await asyncio.to_thread(compose.run, name)
    await until(lambda: answers(compose), what="the proxy")


def answers(compose: Compose) -> bool:
    """Whether the proxy hands requests on."""
    try:
        return httpx.get(f"{compose.url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


async def test_it_starts_serves_and_stops_in_order(compose: Compose, through: Api) -> None:
    """Streams come through the proxy as they are written, from whichever web process; sockets
    open; a stop takes the proxy first and the workers last, and each ends by itself."""
    order = compose.order
    assert (order[0], order[-1]) == ("migrate", "proxy")
    assert max(order.index("worker1"), order.index("worker2")) < order.index("web1")
    await start_all(compose)
    for _ in range(3):
        reader = Reader(through)
        assert await reader.create(await through.prepare("text-40x30"))
        assert reader.names[-1] == "thread.run.completed"
        assert "".join(event.delta for event in reader.deltas) == expected_text("text-40x30")
        assert reader.deltas[-1].at - reader.deltas[0].at > 0.6  # not held back: 40, 30 ms apart
    assert all('"method": "POST"' in compose.told(name) for name in compose.webs)
    assert compose.login_url.startswith(f"{compose.url}/console/enter/#")  # the proxy's address
    await a_socket_shows_a_run(compose, through)
    large = await through.http.post("/assistants", content=b" " * (9 * 2**20))
    assert large.status_code == 413
    assert large.json()["error"]["code"] == "body_too_large"

    await through.run("text-200x30")
    for name in reversed(order):
        await asyncio.to_thread(compose.stop, name)
    for name in order[:-1]:
        assert name == "migrate" or compose.told(name).rstrip().endswith("Stopped.")
        assert "Traceback" not in compose.told(name)
    assert not list(compose.folder.glob("data-*/worker-alive"))
    workers = compose.told("worker1") + compose.told("worker2")
    assert workers.count('"event": "turn committed"') == 5  # the last one was waited for


async def a_socket_shows_a_run(compose: Compose, through: Api) -> None:
    """A page of the console is told of a run to its end."""
    server: Any = compose
    admin = await asyncio.to_thread(Admin, server)
    with closing(admin):
        cookies = "; ".join(f"{name}={value}" for name, value in admin.http.cookies.items())
    run = await through.run("text-40x30")
    url = f"ws://127.0.0.1:{compose.ports['proxy']}/console/ws/runs/{run['id']}/"
    headers = {"Cookie": cookies}
    async with connect(url, origin=compose.url, additional_headers=headers, proxy=None) as socket:
        shown = ""
        while "completed" not in shown:
            shown += str(await asyncio.wait_for(socket.recv(), 20))


async def test_a_rolling_restart_is_not_noticed(
    compose: Compose, through: Api, upstream: Upstream
) -> None:
    """As docs/operations.md says: migrate, then the workers, then the web processes, one after
    the other. Readers come back, calls are tried again as SDKs do, and no run fails."""
    await start_all(compose)
    done = asyncio.Event()
    readers, lost = [], []
    async with asyncio.TaskGroup() as group:
        creating = group.create_task(create_until(through, done))
        for model, names in (
            ("text-150x40", ["migrate", "worker1", "worker2"]),
            ("text-500x40", compose.webs),
        ):
            some = [Reader(through, await through.run(model)) for _ in range(4)]
            readers += some
            lost.append([group.create_task(read_to_the_end(reader)) for reader in some])
            await until(lambda some=some: all(len(reader.deltas) > 5 for reader in some))
            for name in names:
                await asyncio.to_thread(compose.stop, name)
                await asyncio.to_thread(compose.run, name)
                if name != "migrate":
                    await asyncio.to_thread(compose.wait_for, name, "service_healthy")
        done.set()
    at_workers, at_webs = ([task.result() for task in tasks] for tasks in lost)
    assert sum(at_workers) == 0
    assert sum(at_webs) > 0  # their web processes went from beneath them
    for run in [*creating.result(), *(reader.run for reader in readers)]:
        await through.wait(run, "completed")
        *_, message = await through.messages(run)
        assert text_of(message) == expected_text(run["model"])
    for reader in readers:
        log = await through.log(reader.run)
        assert [(event.number, event.data) for event in reader.seen] == [
            (event.number, event.data) for event in log
        ]


async def read_to_the_end(reader: Reader) -> int:
    """Read, and come back as often as the connection is lost; how often that was."""
    lost = 0
    async with asyncio.timeout(120):
        while True:
            with suppress(AssertionError):  # the proxy found no web process at that moment: 502
                if await reader.attach():
                    return lost
            lost += 1
            await asyncio.sleep(0.1)


async def create_until(api: Api, done: asyncio.Event) -> list[Wire]:
    """Create runs until told to stop, each as often as it takes, as SDKs do: twice more."""
    body = await api.prepare("text-5")
    runs = []
    while not done.is_set():
        headers = {"Idempotency-Key": uuid4().hex}
        for tries_left in (2, 1, 0):
            try:
                reply = await api.http.post("/threads/runs", json=body, headers=headers)
            except httpx.TransportError:
                assert tries_left
            else:
                if reply.status_code == 200:
                    runs.append(reply.json())
                    break
                assert tries_left, reply.text
                assert reply.status_code >= 500, reply.text
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.2)
    return runs
