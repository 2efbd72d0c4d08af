"""A database that takes no writes for a while: its file is locked, or its disk is full."""

import asyncio
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from tests.chaos.cluster import Embedded
from tests.chaos.outcome import asked_in_order, ended_well
from tests.process.client import Api, Reader, until
from tests.upstream import Upstream

pytestmark = [pytest.mark.process, pytest.mark.sqlite]

SECONDS = 10
MODELS = ("text-100x40", "text-400x40")  # one ends meanwhile, one after it
Fault = Callable[[Api], AbstractContextManager[None]]


@contextmanager
def locked(api: Api) -> Iterator[None]:
    """Somebody else holds the write lock of the server's file."""
    path = api.server.data_dir / "runsite.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def full(api: Api) -> Iterator[None]:
    """No file of the server can grow, and none can be written: its log neither."""
    _, most = resource.prlimit(api.server.pid, resource.RLIMIT_FSIZE, (0, -1))
    assert most == resource.RLIM_INFINITY
    yield
    resource.prlimit(api.server.pid, resource.RLIMIT_FSIZE, (-1, -1))


@pytest.mark.parametrize("fault", [locked, full])
async def test_runs_wait_for_the_database_and_callers_are_told(
    embedded: Embedded, upstream: Upstream, fault: Fault
) -> None:
    api = embedded.api()
    tags = {model: f"{fault.__name__} {model}" for model in MODELS}
    readers = {model: Reader(api, await api.run(model, tags[model])) for model in MODELS}
    body = await api.prepare("text-3")
    async with asyncio.TaskGroup() as group:
        for reader in readers.values():
            group.create_task(reader.attach())
        await until(lambda: all(len(reader.deltas) >= 10 for reader in readers.values()))
        begun = time.monotonic()
        with fault(api):
            while time.monotonic() - begun < SECONDS:
                reply = await api.http.post("/threads/runs", json=body)
                assert reply.status_code == 503, reply.text
                assert reply.json()["error"]["type"] == "server_error"
                assert "retry-after" in reply.headers
                for reader in readers.values():  # what is stored can be read all the while
                    assert (await api.retrieve(reader.run))["status"] == "in_progress"
                await asyncio.sleep(0.2)
        lifted = time.monotonic()
        again = await api.post("/threads/runs", body)
        await api.wait(again, "completed", seconds=5)
    for model, reader in readers.items():
        assert max(event.at for event in reader.seen) > lifted
        lost = await ended_well(api, reader)
        assert asked_in_order(upstream, tags[model], reader)[0] == 1 + lost <= 2
    assert embedded.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
