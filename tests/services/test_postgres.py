"""What only PostgreSQL can get wrong: row locks that meet, a pool that runs dry.

The rest of the suite runs on PostgreSQL too: ``make test`` runs it once per database.
"""

import asyncio
import contextlib
import random
import threading
import time
from contextlib import ExitStack, aclosing
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from runs import operations
from runs.contract.cleanup import Verb
from runs.contract.status import RunStatus
from runs.events import flush, log
from runs.events.follow import follow
from runs.events.hub import hub
from runs.events.log import StaleRun
from runs.execution import commits
from runs.execution.turn import Turn
from runs.lifecycle import runs as lifecycle
from runs.models import ApiKey, Run
from runs.models.database import in_database, now
from runs.operations import access
from runs.operations.cleanup import WAYS
from runs.providers.base import TextPiece
from tests.api.client import Api, check_busy
from tests.factories import make_run

LONG_AGO = timezone.now() - timedelta(hours=1)

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def at_once(*works):
    """Run each in a thread of its own; what they raised."""
    faults = []

    def run(work):
        try:
            work()
        except DatabaseError as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def test_flushes_and_renewals_never_wait_for_each_other():
    runs = [make_run(status=RunStatus.IN_PROGRESS, lease_owner=f"o{i}") for i in range(40)]
    until = time.monotonic() + 1.5

    def flushing():
        while time.monotonic() < until:
            random.shuffle(runs)
            batches = [
                flush.Batch(run, [log.record(run, "thread.message.delta", {})]) for run in runs
            ]
            stored, busy = flush.commit(batches, 60)
            assert stored | busy == {run.id for run in runs}

    def renewing():
        owners = [run.lease_owner for run in runs]
        while time.monotonic() < until:
            renewed, busy = lifecycle.renew(owners, 60)
            assert renewed.keys() | busy == set(owners)

    assert at_once(flushing, renewing) == []


def test_a_row_that_somebody_holds_keeps_no_other_run_from_its_log_and_lease():
    held, free = (
        make_run(status=RunStatus.IN_PROGRESS, lease_owner=name, lease_until=LONG_AGO)
        for name in ("held", "free")
    )
    lost = make_run(status=RunStatus.CANCELLING, lease_owner="")
    batches = [flush.Batch(run, [log.record(run, "x", {})]) for run in (held, free, lost)]
    locked, done = threading.Event(), threading.Event()

    def holding():
        with transaction.atomic():
            Run.objects.select_for_update().get(id=held.id)
            locked.set()
            assert done.wait(10)

    def writing():
        try:
            assert locked.wait(10)
            assert flush.commit(batches, 60) == ({free.id}, {held.id})
            renewed = lifecycle.renew(["held", "free"], 60)
            assert renewed == ({"free": RunStatus.IN_PROGRESS}, {"held"})
        finally:
            done.set()

    assert at_once(holding, writing) == []
    assert flush.commit(batches, 60) == ({held.id, free.id}, set())
    assert [len(log.read_after(run.id, 0).events) for run in (held, free, lost)] == [1, 1, 0]


def test_deleting_a_thread_never_waits_for_its_driver_while_that_waits_for_it():
    """Driver and deletion take run, message and thread in the same order."""
    error = {"code": "server_error", "message": "x"}
    for _ in range(25):
        run = make_run(status=RunStatus.IN_PROGRESS)
        thread = run.thread
        go = threading.Barrier(2)

        def driving(run=run, go=go):
            turn = Turn(frozenset(), set())
            go.wait()
            with contextlib.suppress(StaleRun, IntegrityError):
                written, turn.message_step, turn.message = commits.open_message(run)
                turn.add_text(turn.message.id, TextPiece("Hi"))
                commits.end_driven(written.run, turn, [], RunStatus.FAILED, error)

        def deleting(thread=thread, go=go):
            go.wait()
            time.sleep(random.random() * 0.01)  # noqa: S311  dice, not keys
            operations.delete_thread(thread)

        assert at_once(driving, deleting) == []
        assert not Run.objects.filter(id=run.id).exists()


def test_the_time_is_the_databases():
    with time_machine.travel("2001-01-01"):
        assert now().year > 2001


@pytest.mark.parametrize("readers", [50])
async def test_a_small_pool_serves_many_who_wait(readers):
    """Streams and held polls keep no connection while they wait."""
    run = await in_database(make_run, status=RunStatus.IN_PROGRESS)
    connection.close_pool()
    settings, options = connection.settings_dict, dict(connection.settings_dict["OPTIONS"])
    settings["OPTIONS"] = options | {"pool": {"min_size": 1, "max_size": 4, "timeout": 2}}
    with ExitStack() as stack:
        stack.callback(settings.update, OPTIONS=options)
        stack.callback(connection.close_pool)
        following = [asyncio.create_task(anext_of(follow(run.id))) for _ in range(readers)]
        polling = [asyncio.create_task(held(stack, run.id)) for _ in range(readers)]
        while hub.readers() < 2 * readers:
            await asyncio.sleep(0.005)
        started = time.monotonic()
        for _ in range(20):
            await asyncio.wait_for(in_database(Run.objects.get, id=run.id), 2)
        assert time.monotonic() - started < 2
        hub.publish(run.id, [log.Event(1, 0, "thread.x", "{}")])
        assert await asyncio.gather(*following) == [1] * readers
        assert await asyncio.gather(*polling) == [1] * readers


async def anext_of(stream):
    """The number of the first event of a stream."""
    async with aclosing(stream) as lists:
        async for events in lists:
            if events:
                return events[0].number
    return None


async def held(stack, run_id):
    """What a poll does that is held: wait for news without a connection."""
    reader = stack.enter_context(hub.subscribe(run_id))
    pending, _ = await reader.wait(10)
    return pending[0].number


@pytest.fixture
def standby():
    """The server only reads, as one does from which another took over; yields how to end that."""
    settings, options = connection.settings_dict, dict(connection.settings_dict["OPTIONS"])
    reads = {"options": "-c default_transaction_read_only=on"}

    def become(options):
        connection.close_pool()
        settings["OPTIONS"] = options

    yield lambda: become(options | reads)
    become(options)


async def test_a_server_that_only_reads_is_503_and_may_be_tried_again(standby):
    """psycopg tells of it as an internal error."""

    def scene():
        run = make_run(status=RunStatus.QUEUED)
        person = Client()
        person.force_login(User.objects.create_superuser("admin"))
        return Api(run.project), run, person

    api, run, person = await in_database(scene)
    path = f"threads/{run.thread_id}/runs/{run.id}/cancel"
    standby()
    check_busy(await in_database(api.post, f"/v1/{path}"))  # on a connection of the new pool
    answer = await in_database(person.post, f"/console/{path}/")
    assert answer.status_code == 503


def test_a_batch_that_stood_still_for_too_long_is_tried_again(monkeypatch):
    """As in a process that was frozen for a while: the database ends its transaction."""
    thread = make_run(status=RunStatus.COMPLETED).thread
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=[thread.number])
    erase, stood = WAYS[Verb.ERASE], []

    def slowly(*args):
        if not stood:
            stood.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            time.sleep(0.5)
        return erase.carry_out(*args)

    monkeypatch.setitem(WAYS, Verb.ERASE, replace(erase, carry_out=slowly))
    operations.begin_cleanup(cleanup)
    assert operations.work_on_cleanup(cleanup).standing == "done"
    assert stood
    assert not Run.objects.exists()


def test_of_processes_that_start_at_once_one_makes_the_first_key():
    made = []
    at_once(*[lambda: made.append(access.first_key())] * 8)
    assert len([key for key in made if key]) == 1
    assert ApiKey.objects.count() == 1
