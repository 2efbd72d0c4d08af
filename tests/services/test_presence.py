"""A worker that dies is missed at once: its lock in the database is gone."""

import asyncio
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from runs.contract.status import RunStatus
from runs.execution import engines
from runs.models import Run
from runs.models.database import in_database, now
from runs.operations.access import default_project
from tests.api.executing import MODEL, executing
from tests.factories import make_run, make_thread

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

SECONDS = 20
LEASE = timedelta(hours=1)


@pytest.fixture
def presence():
    """The module; it can be imported only where the engine's app is installed."""
    return import_module("runs.execution.engines.presence")


@pytest.fixture
async def other(presence):
    """Another worker, as far as the database can see."""
    other = presence.Presence()
    await other.start()
    yield other
    await other.stop()


def driven_by(owner):
    """A run that somebody drives, or so its lease says."""
    return make_run(
        make_thread(default_project()),
        RunStatus.IN_PROGRESS,
        model=MODEL,
        lease_owner=owner,
        lease_until=now() + LEASE,
    )


async def look_twice(worker):
    """As often as it takes to miss somebody."""
    await worker.look()
    await worker.look()


async def until(holds, *args):
    async with asyncio.timeout(SECONDS):
        while not await in_database(holds, *args):
            await asyncio.sleep(0.02)


def is_completed(run):
    return Run.objects.get(id=run.id).status == RunStatus.COMPLETED


def is_free(run):
    return Run.objects.get(id=run.id).lease_until < now()


def backends_of(number):
    """The connections that hold a worker's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_locks WHERE locktype='advisory' AND objid=%s", [number])
        return {pid for (pid,) in cursor.fetchall()}


def cut_off(pids):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [list(pids)])


async def test_its_runs_go_on_while_their_leases_last(other):
    run = await in_database(driven_by, other.new_owner())
    async with executing():
        ours = engines.current().presence
        await ours.look()
        await ours.look()
        assert not await in_database(is_free, run)
        await other.stop()
        await until(is_completed, run)


async def test_a_worker_that_starts_finds_what_the_dead_have_left(other):
    run = await in_database(driven_by, other.new_owner())
    await other.stop()
    async with executing():
        await until(is_completed, run)


async def test_runs_of_whom_no_lock_is_known_are_left_to_their_leases(other):
    """Claimed by a worker of another version, or while it had no lock."""
    run = await in_database(driven_by, "an owner.of old")
    lost = await in_database(driven_by, other.new_owner())
    await other.stop()
    async with executing():
        await until(is_completed, lost)
        await in_database(run.refresh_from_db)
    assert (run.lease_owner, run.status) == ("an owner.of old", RunStatus.IN_PROGRESS)


async def test_a_row_that_somebody_writes_is_left_to_its_lease(other, presence):
    busy, free = [await in_database(driven_by, other.new_owner()) for _ in range(2)]
    await other.stop()
    holder = connection.copy()
    holder.inc_thread_sharing()

    def hold():
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            cursor.execute("SELECT 1 FROM runs_run WHERE id = %s FOR UPDATE", [busy.id])

    await in_database(hold)
    try:
        async with asyncio.timeout(SECONDS):
            missing = {other.number}
            ours = presence.Presence()
            await ours.start()
            assert await in_database(presence.end_leases, ours.number, missing) == missing
            await ours.stop()
            assert await in_database(is_free, free)
            assert not await in_database(is_free, busy)
    finally:
        await in_database(holder.close)


async def test_a_lock_that_was_lost_is_taken_again(other):
    """Meanwhile its claims name no lock, and it takes nobody for dead: with a database that was
    away all locks are gone."""
    before = await in_database(backends_of, other.number)
    await in_database(cut_off, before)
    async with asyncio.timeout(SECONDS):
        while other.held:
            await asyncio.sleep(0.005)
        assert "." not in other.new_owner()
        while not other.held:
            await asyncio.sleep(0.005)
    assert other.new_owner().startswith(f"{other.number:08x}.")
    assert before.isdisjoint(await in_database(backends_of, other.number))
    run = await in_database(driven_by, "00000001.dead")
    await look_twice(other)
    assert not await in_database(is_free, run)
    other.settled_at = 0.0
    await look_twice(other)
    assert await in_database(is_free, run)


async def test_a_worker_that_only_lost_its_connection_keeps_its_runs(other, presence):
    """The others see its lock missing once at most."""
    ours = presence.Presence()
    await ours.start()
    ours.settled_at = 0.0
    run = await in_database(driven_by, other.new_owner())
    await in_database(cut_off, await in_database(backends_of, other.number))
    await ours.look()
    assert ours.missed == {other.number}
    async with asyncio.timeout(SECONDS):
        while not await in_database(backends_of, other.number):
            await asyncio.sleep(0.02)
    await ours.look()
    assert ours.missed == set()
    await ours.stop()
    assert not await in_database(is_free, run)


async def test_while_our_own_lock_is_missing_nobody_is_missed(presence):
    run = await in_database(driven_by, "00000001.dead")
    assert await in_database(presence.end_leases, 2, {1}) == set()
    assert not await in_database(is_free, run)


async def test_a_lock_that_is_not_ours_any_more_is_noticed(other):
    """As behind a pooler that gives a connection to one after the other."""
    other.number += 1
    async with asyncio.timeout(SECONDS):
        while not await in_database(backends_of, other.number):
            await asyncio.sleep(0.02)


async def test_right_after_the_database_has_started_nobody_is_missed(presence, monkeypatch):
    """A worker that comes first must not take the others for dead."""
    monkeypatch.setattr(presence, "SETTLING_SECONDS", 1e9)
    run = await in_database(driven_by, "00000001.dead")
    first = presence.Presence()
    await first.start()
    await look_twice(first)
    await first.stop()
    assert not await in_database(is_free, run)
