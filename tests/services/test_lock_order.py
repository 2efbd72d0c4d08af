"""Who takes which rows first: thread, run, then all that belongs to it. Held still at the places
where two writers could wait for each other."""

import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from runs import operations
from runs.contract.errors import ApiError
from runs.contract.status import RunStatus
from runs.events import flush, log
from runs.events.log import StaleRun
from runs.execution import commits
from runs.lifecycle import steps
from runs.models import EventChunk, Message, Run, RunStep, Thread
from runs.models.database import now
from runs.operations import compaction
from runs.operations.erase import erase
from runs.operations.threads import end_runs
from tests.factories import make_project, make_run, make_step, make_thread
from tests.filled import make_full_thread

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

SECONDS = 60  # until a test gives up


class Writer:
    """Somebody with a connection of their own, in a thread of their own."""

    def __init__(self, work):
        self.fault = None
        self.pid = None
        self.thread = threading.Thread(target=self.run, args=(work,))
        self.thread.start()
        until(lambda: self.pid)

    def run(self, work):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (self.pid,) = cursor.fetchone()
            with suppress(StaleRun, IntegrityError, ApiError):  # too late: that is no knot
                work()
        except DatabaseError as fault:
            self.fault = fault
        finally:
            connection.close()

    def waits(self):
        """Whether somebody else has a row that it wants."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [self.pid])
            return cursor.fetchone()[0]

    def waits_or_is_done(self):
        """Whether it does nothing more by itself."""
        return not self.thread.is_alive() or self.waits()

    def end(self):
        """Let it come to its end, which must be no knot."""
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()
        assert self.fault is None


def until(condition):
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def held(rows):
    """The rows are somebody's for a while."""
    with transaction.atomic():
        assert list(rows.select_for_update())
        yield


def erased(thread):
    """Erase a thread as a batch of a cleanup does."""
    with transaction.atomic():
        erase(Thread.objects.filter(id=thread.id), cancel=False)


def compacted_in_batch(run):
    """Compact a run's log as a batch of a cleanup does."""
    logs, _ = compaction.prepare(Run.objects.filter(id=run.id))
    with transaction.atomic():
        compaction.replace_logs(logs)


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.IN_PROGRESS])
def test_a_claim_does_not_wait_for_whoever_holds_the_row(status):
    """He may be frozen, for longer than the lease that the claim would give."""
    run = make_run(make_thread(make_project()), status)
    Run.objects.filter(id=run.id).update(lease_until=None)
    with held(Run.objects.filter(id=run.id)):
        claiming = Writer(lambda: commits.begin(run.id, "somebody", 60, str))
        until(claiming.waits_or_is_done)
        assert not claiming.thread.is_alive()
        given_at = now()
    claiming.end()
    run.refresh_from_db()
    assert run.lease_owner != "somebody"
    assert commits.begin(run.id, "somebody", 60, str)
    run.refresh_from_db()
    assert run.lease_until > given_at + timedelta(seconds=60)


@pytest.mark.parametrize("deletion", [operations.delete_thread, erased])
@pytest.mark.parametrize("work", [operations.compact_run, compacted_in_batch])
def test_a_deletion_and_a_compaction(deletion, work):
    """The deletion has the rows of the log, and is held up before it has the run."""
    thread = make_full_thread(make_project())
    run = Run.objects.get()
    with held(Message.objects.filter(thread=thread)):
        deleting = Writer(lambda: deletion(thread))
        until(deleting.waits)
        working = Writer(lambda: work(run))
        until(working.waits_or_is_done)
    deleting.end()
    working.end()
    assert not Thread.objects.exists()
    assert not EventChunk.objects.exists()


class Driver:
    """A driver in the midst of opening a message."""

    def __init__(self, run, *, told):
        """``told``: it stops just before its commit, else just before it takes the run."""
        self.here, self.go_on = threading.Event(), threading.Event()
        self.run, self.told = run, told
        self.writer = Writer(self.open_message)
        assert self.here.wait(SECONDS)

    def open_message(self):
        with transaction.atomic():
            _, _, facts = steps.open_message(self.run)
            if self.told:
                log.write(self.run, facts)
            self.here.set()
            assert self.go_on.wait(SECONDS)
            if not self.told:
                log.write(self.run, facts)

    def end(self):
        self.go_on.set()
        self.writer.end()


def deleted_in_batch(thread):
    """Delete a thread with an active run as a batch of a cleanup does."""
    with transaction.atomic():
        erase(Thread.objects.filter(id=thread.id), cancel=True)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("deletion", [operations.delete_thread, deleted_in_batch])
def test_a_deletion_that_comes_while_a_driver_opens_a_message(deletion, told):
    """It waits for a driver who has the run, and passes one who has not got that far."""
    run = make_run(status=RunStatus.IN_PROGRESS)
    driver = Driver(run, told=told)
    deleting = Writer(lambda: deletion(run.thread))
    until(deleting.waits_or_is_done)
    assert deleting.thread.is_alive() == told
    driver.end()
    deleting.end()
    assert not Message.objects.exists()


def test_a_driver_that_opens_a_message_while_a_deletion_is_under_way():
    """The deletion has cancelled the run, and has still to delete."""
    run = make_run(status=RunStatus.IN_PROGRESS)
    here, go_on = threading.Event(), threading.Event()

    def deleting_slowly():
        with transaction.atomic():
            end_runs(run.thread)
            here.set()
            assert go_on.wait(SECONDS)
            Thread.objects.filter(id=run.thread_id).delete()

    deleting = Writer(deleting_slowly)
    assert here.wait(SECONDS)
    driving = Writer(lambda: commits.open_message(run))
    until(driving.waits)
    go_on.set()
    deleting.end()
    driving.end()
    assert not Message.objects.exists()


def test_an_eraser_of_many_busy_threads_and_a_flush():
    """Runs of several threads are taken in the order of the runs, whatever that of the threads."""
    project = make_project()
    older, newer = make_thread(project), make_thread(project)
    first = make_run(newer, status=RunStatus.IN_PROGRESS, lease_owner="a")
    second = make_run(older, status=RunStatus.IN_PROGRESS, lease_owner="b")
    make_step(second)
    assert first.number < second.number

    def erasing():
        with transaction.atomic():
            erase(Thread.objects.all().order_by("number"), cancel=True)

    def flushing():
        runs = [first, second]
        flush.commit([flush.Batch(run, [log.record(run, "x", {})]) for run in runs], 60)

    with held(RunStep.objects.filter(run=second)):
        eraser = Writer(erasing)
        until(eraser.waits)
        flusher = Writer(flushing)
        until(flusher.waits_or_is_done)
    eraser.end()
    flusher.end()
    assert not Thread.objects.exists()
