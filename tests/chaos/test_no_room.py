"""A database that takes no writes for a while: its file is locked, or its disk is full."""

import asyncio
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

import pytest

from tests.chaos.cluster import Cluster, Embedded, Site
from tests.chaos.outcome import asked_in_order, ended_well
from tests.process.client import Reader, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process

SECONDS = 10
MODELS = ("text-100x40", "text-400x40")  # one ends meanwhile, one after it
Fault = Callable[[Site], AbstractContextManager[None]]


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Somebody else holds the write lock of the server's file."""
    path = site.webs[0].data_dir / "runsite.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def full(site: Site) -> Iterator[None]:
    """No file of the server can grow, and none can be written: its log neither."""
    _, most = resource.prlimit(site.webs[0].pid, resource.RLIMIT_FSIZE, (0, -1))
    assert most == resource.RLIM_INFINITY
    yield
    resource.prlimit(site.webs[0].pid, resource.RLIMIT_FSIZE, (-1, -1))


#: What PostgreSQL answers to whoever needs a new page of a table.
NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
END $$
"""


@contextmanager
def refusing(site: Site) -> Iterator[None]:
    """PostgreSQL's disk has no room for a row of any table."""
    tables = site.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    site.query(NO_ROOM)
    for table in tables:
        site.query(
            f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table['name']}"
            " FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
    yield
    site.query("DROP FUNCTION no_room CASCADE")


@pytest.mark.sqlite
@pytest.mark.parametrize("fault", [locked, full])
async def test_runs_wait_for_the_database_and_callers_are_told(
    embedded: Embedded, upstream: Upstream, fault: Fault
) -> None:
    """8.29: for longer than a lease lasts: each run may have been taken over once."""
    await outlast(embedded, upstream, fault, 1)
    assert embedded.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


@pytest.mark.sqlite
@pytest.mark.parametrize("fault", [locked, full])
async def test_what_was_said_meanwhile_is_stored_by_who_has_said_it(
    upstream: Upstream, fault: Fault
) -> None:
    """8.29: its lease lasts longer: nobody takes over from whom does not try again."""
    with ExitStack() as stack:
        site = Embedded(stack, RUNSITE_UPSTREAM_URL=upstream.url, RUNSITE_LEASE_SECONDS="30")
        await outlast(site, upstream, fault, 0)
        await site.rest()


@pytest.mark.services
async def test_a_full_disk_of_postgresql(
    start_cluster: Callable[..., Cluster], upstream: Upstream
) -> None:
    """8.29: neither web processes nor workers can write a row. Leases would last."""
    await outlast(start_cluster(RUNSITE_LEASE_SECONDS="30"), upstream, refusing, 0)


async def outlast(site: Site, upstream: Upstream, fault: Fault, most_lost: int) -> None:
    """Callers are told to come back, reads are answered, and afterwards runs go on. Of each at
    most so many attempts are lost."""
    api = site.api()
    tags = {model: f"{fault.__name__} {most_lost} {model}" for model in MODELS}
    readers = {model: Reader(site.api(-1), await api.run(model, tags[model])) for model in MODELS}
    body = await api.prepare("text-3")
    async with asyncio.TaskGroup() as group:
        for reader in readers.values():
            group.create_task(reader.attach())
        await until(lambda: all(len(reader.deltas) >= 10 for reader in readers.values()))
        begun = time.monotonic()
        with fault(site):
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
        assert lost <= most_lost
        assert asked_in_order(upstream, tags[model], reader)[0] == 1 + lost
        assert len(site.claims(reader.run)) == 1 + lost
