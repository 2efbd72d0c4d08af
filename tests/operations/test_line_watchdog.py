"""Runs in line and time: whose clock runs, and what the watchdog does about a line."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.contract.errors import ThreadBusy
from runs.contract.status import RunStatus
from runs.execution import commits, line, watchdog
from runs.models import Run
from tests.factories import make_run
from tests.operations.scene import HI, PAST, again, busy_with, in_line, texts

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


# --- clocks ---


def test_a_clock_of_its_own(thread, create):
    run = again(create(expires_in=30, action_expires_in=7))
    assert run.expires_at - run.created_at == timedelta(seconds=30)
    assert run.action_lifetime == 7
    run = again(create(expires_in=None, action_expires_in=None))
    assert run.expires_at - run.created_at == timedelta(seconds=600)
    assert run.action_lifetime is None


def test_the_clock_runs_in_line(thread, create):
    busy = make_run(thread, status=RunStatus.IN_PROGRESS)
    late, patient = create(expires_in=30), create()
    Run.objects.filter(id=late.id).update(expires_at=timezone.now() - PAST)
    assert list(watchdog.look().expired) == [late.id]
    assert again(late).status == "expired"
    assert in_line(thread) == [patient]
    assert again(busy).status == "in_progress"


# --- the watchdog ---


def test_a_run_in_line_is_no_work(thread, create):
    busy = make_run(thread)
    run = create()
    old = timezone.now() - PAST
    Run.objects.update(created_at=old)
    for first in (True, False):
        assert watchdog.look(first=first).forgotten == [busy.id]
    assert commits.begin(run.id, "w", 60, lambda model: "nobody") is None
    assert again(run).status == "queued"


def test_a_line_that_stands_is_moved_up(thread, create):
    """As after a row was changed by hand."""
    busy = make_run(thread)
    first, second = create(additional_messages=[HI]), create()
    Run.objects.filter(id=busy.id).update(status=RunStatus.COMPLETED)
    assert watchdog.look(first=True).forgotten == [first.id]
    assert busy_with(thread) == first
    assert in_line(thread) == [second]
    assert texts(thread) == ["Hi"]
    assert watchdog.look(first=True).forgotten == [first.id]


def test_a_newcomer_does_not_pass_a_line_that_stands(thread, create):
    busy = make_run(thread)
    waiting = create()
    Run.objects.filter(id=busy.id).update(status=RunStatus.COMPLETED)
    assert create().in_line
    with pytest.raises(ThreadBusy, match=waiting.id):
        create("reject")


@pytest.mark.sqlite  # PostgreSQL's plans depend on its statistics
def test_a_look_reads_no_more_than_what_has_not_ended(thread):
    """A filter by a partial index must spell out its condition."""
    at = timezone.now()
    looks = [watchdog.due(at), watchdog.silent(at), watchdog.forgotten(at)]
    for rows in (*looks, watchdog.cancelling(at), line.standing()):
        for step in rows.explain().splitlines():
            if "runs_run" in step or "U0" in step:
                assert "USING" in step
                assert re.search("INDEX (run_to_|run_in_line|one_active_run)", step)
