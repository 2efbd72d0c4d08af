"""Leftovers: found, counted, and put right where that can be."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import connection, transaction

from runs.contract.status import TERMINAL, MessageStatus, RunStatus, StepStatus
from runs.lifecycle.usage import note_usage
from runs.models import IdempotencyKey, Message, Run, RunStep, Thread, UsageEntry
from runs.models.database import now
from runs.operations import leftovers, make_login_link
from tests.api.executing import executing
from tests.factories import USAGE, make_project, make_run, make_step, make_thread
from tests.filled import make_full_thread

pytestmark = pytest.mark.django_db


def counts():
    return {found.name: found.count for found in leftovers.find() if found.count}


def test_there_are_none_where_all_is_well():
    make_full_thread(make_project())
    make_run(status=RunStatus.IN_PROGRESS)
    make_run(status=RunStatus.REQUIRES_ACTION)
    make_login_link()
    assert counts() == {}


def test_a_row_without_its_parent():
    """Only somebody else than us can make one: the foreign keys have to be off."""
    thread = make_full_thread(make_project())
    with connection.constraint_checks_disabled():
        Thread.objects.filter(id=thread.id)._raw_delete("default")
        # Its two messages, its run and its kept answer.
        assert counts() == {"parentless": 4}
        Thread.objects.bulk_create([thread])


def test_an_ended_run_that_left_something_open():
    run = make_run(status=RunStatus.COMPLETED)
    note_usage(run)
    step = make_step(run, status=StepStatus.IN_PROGRESS)
    Message.objects.filter(id=step.message_id).update(status=MessageStatus.IN_PROGRESS)
    assert counts() == {"torn": 1}
    assert leftovers.repair("torn") == 1
    assert counts() == {}
    assert RunStep.objects.get().status == StepStatus.FAILED
    assert Message.objects.get().status == MessageStatus.INCOMPLETE
    assert Run.objects.get().status == RunStatus.COMPLETED


def test_a_run_whose_driver_has_gone_silent():
    make_run(status=RunStatus.IN_PROGRESS, lease_until=now() - timedelta(seconds=1))
    assert counts() == {"silent": 1}
    assert leftovers.repair("silent") == 0  # no engine runs here
    assert "watchdog" in leftovers.in_words("silent", 0)


@pytest.mark.django_db(transaction=True)
async def test_a_silent_run_is_kicked_where_an_engine_runs():
    @sync_to_async
    def repaired():
        with transaction.atomic():  # never committed: the watchdog does not see it
            make_run(status=RunStatus.IN_PROGRESS, lease_until=now() - timedelta(seconds=1))
            count = leftovers.repair("silent")
            transaction.set_rollback(True)
        return count

    async with executing():
        assert await repaired() == 1


def test_runs_that_the_version_before_ended_after_the_migrations():
    """As they were left by code that knew no usage entries."""
    for status in sorted(TERMINAL):
        make_run(status=status)
    make_run(status=RunStatus.IN_PROGRESS)
    noted = make_run(status=RunStatus.COMPLETED)
    note_usage(noted)
    before = UsageEntry.objects.get()
    assert counts() == {"unnoted": 5}
    assert leftovers.repair("unnoted") == 5
    assert counts() == {}
    assert leftovers.repair("unnoted") == 0
    entries = UsageEntry.objects.order_by("run_id")
    ended = Run.objects.filter(status__in=sorted(TERMINAL)).order_by("id")
    assert [(entry.run_id, entry.status) for entry in entries] == list(
        ended.values_list("id", "status")
    )
    assert {entry.output_tokens for entry in entries} == {USAGE["completion_tokens"]}
    assert UsageEntry.objects.get(run_id=noted.id).number == before.number


def test_what_is_past_its_time():
    make_full_thread(make_project())
    IdempotencyKey.objects.update(created_at=now() - timedelta(days=2))
    make_login_link()
    leftovers.LoginLink.objects.update(expires_at=now())
    Session.objects.create(session_key="old", expire_date=now() - timedelta(days=1))
    Session.objects.create(session_key="new", expire_date=now() + timedelta(days=1))
    assert counts() == {"answers": 1, "sessions": 1, "links": 1}
    for name in ("answers", "sessions", "links"):
        assert leftovers.repair(name) == 1
    assert counts() == {}


def test_quiet_threads_are_counted_and_not_deleted_from_here():
    make_thread(created_at=now() - timedelta(days=31))
    make_thread(created_at=now() - timedelta(days=29))
    assert counts() == {"quiet": 1}
    for name in ("quiet", "parentless", "nonsense"):
        with pytest.raises(KeyError):
            leftovers.repair(name)
