"""Runs in line when many come, end and cancel at once: nobody is lost, and nobody waits in vain."""

import itertools
import threading
from contextlib import suppress

import pytest
from django.db import Error
from django.utils import timezone

from runs import operations
from runs.contract.errors import ApiError, LineFull
from runs.contract.limits import RUNS_IN_LINE
from runs.contract.status import ACTIVE, RunStatus
from runs.events.log import StaleRun
from runs.execution import commits, watchdog
from runs.execution.turn import Turn
from runs.models import Run, Thread
from tests.factories import make_assistant, make_run, make_thread
from tests.operations.scene import HI, PAST, again, busy_with, in_line

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


# --- at once ---


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_seventeen_are_taken(thread, create, race):
    done = race(*[create] * 20)
    assert [type(fault) for fault in done.faults] == [LineFull] * 3
    assert len(done.results) == 1 + RUNS_IN_LINE
    (first,) = [run for run in done.results if not run.in_line]
    assert {fault.message for fault in done.faults} == {
        f"Thread {thread.id} already has 16 runs in line behind run {first.id}."
    }
    order = sorted(done.results, key=lambda run: run.number)
    assert order[0] == first
    for ended, following in itertools.pairwise(order):
        assert busy_with(thread) == ended
        operations.cancel_run(again(ended))
        assert busy_with(thread) == following
    assert in_line(thread) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_of_ten_that_cancel_all_at_once_one_is_left(thread, create, race, status):
    busy = make_run(thread, status=status)
    done = race(*[lambda: create("cancel")] * 10)
    assert done.faults == []
    left = thread.runs.filter(status__in=sorted(ACTIVE)).exclude(id=busy.id)
    assert left.get() == max(done.results, key=lambda run: run.number)
    assert again(busy).status == ("cancelled" if status == "queued" else "cancelling")
    assert left.get().in_line is (status == "in_progress")


@pytest.mark.django_db(transaction=True)
def test_an_ending_and_a_newcomer_never_miss_each_other(thread, create, race):
    for _ in range(25):
        busy = create("cancel")
        assert not busy.in_line
        done = race(lambda busy=busy: operations.cancel_run(busy), create, create)
        assert done.faults == []
        assert again(busy).status == "cancelled"
        made = sorted(done.results, key=lambda run: run.number)[1:]
        assert busy_with(thread) == made[0]
        assert in_line(thread) == made[1:]


@pytest.mark.django_db(transaction=True)
def test_a_cancel_in_line_and_its_turn_never_leave_the_line_standing(thread, create, race):
    for _ in range(25):
        busy, first, second = create("cancel"), create(), create()
        done = race(
            lambda busy=busy: operations.cancel_run(busy),
            lambda first=first: operations.cancel_run(first),
        )
        assert done.faults == []
        assert (again(busy).status, again(first).status) == ("cancelled", "cancelled")
        assert busy_with(thread) == second
        assert not in_line(thread)


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_one_who_cancels_all_never_pass_each_other(race):
    for _ in range(25):
        thread = make_thread()
        busy = make_run(thread)
        fields = {"assistant_id": busy.assistant_id, "on_active_run": "cancel"}
        done = race(
            lambda busy=busy: commits.begin(busy.id, "driver", 60, lambda model: "nobody"),
            lambda thread=thread, fields=fields: operations.create_run(thread, fields),
        )
        assert done.faults == []
        (run,) = [result for result in done.results if isinstance(result, Run)]
        claimed = len(done.results) - done.results.count(None) == 2
        assert again(busy).status == ("cancelling" if claimed else "cancelled")
        assert again(run).in_line is claimed


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_finishes_a_cancel_and_newcomers_do_not_wait_for_each_other(race):
    for _ in range(25):
        thread = make_thread()
        busy = make_run(thread, status="cancelling", lease_until=timezone.now() - PAST)
        fields = {"assistant_id": busy.assistant_id, "on_active_run": "cancel"}
        done = race(
            lambda busy=busy: commits.begin(busy.id, "next", 60, lambda model: "nobody"),
            lambda thread=thread, fields=fields: operations.create_run(thread, fields),
            lambda thread=thread, fields=fields: operations.create_run(thread, fields),
        )
        assert done.faults == []
        assert again(busy).status == "cancelled"
        (left,) = thread.runs.filter(status__in=sorted(ACTIVE))
        assert busy_with(thread) == left


class Crowd:
    """Clients, drivers and the watchdog, all busy with one thread."""

    def __init__(self, thread, create):
        self.thread = thread
        self.create = create

    def unended(self):
        return self.thread.runs.filter(status__in=sorted(ACTIVE))

    def drive(self):
        """Claim what there is, open a message, fail; or finish what was cancelled meanwhile.
        What was ended meanwhile is another's."""
        with suppress(StaleRun):
            self.do_turn()

    def do_turn(self):
        busy = busy_with(self.thread)
        if busy is None:
            return
        written = commits.begin(busy.id, str(threading.get_ident()), 60, lambda model: "nobody")
        if written is None or written.run.status != RunStatus.IN_PROGRESS:
            return
        run, turn = written.run, Turn(frozenset(), set())
        try:
            written, turn.message_step, turn.message = commits.open_message(run)
            run = written.run
            error = {"code": "server_error", "message": "x"}
            commits.end_driven(run, turn, [], RunStatus.FAILED, error)
        except StaleRun:
            if commits.standing(run.id, run.epoch) == RunStatus.CANCELLING:
                commits.end_driven(run, turn, [], RunStatus.CANCELLED)

    def cancel(self):
        for run in self.unended().order_by("?")[:2]:
            operations.cancel_run(run)

    def expire(self):
        oldest = self.unended().order_by("number").first()
        if oldest is not None:
            Run.objects.filter(id=oldest.id).update(expires_at=timezone.now() - PAST)
        watchdog.look()

    def say(self):
        self.create(additional_messages=[HI])

    def clear(self):
        self.create("cancel")


def repeating(rounds, *works):
    """Do the works in turn; that one is refused is its business."""

    def repeat():
        for number in range(rounds):
            with suppress(ApiError):
                works[number % len(works)]()

    return repeat


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_one_who_waits_for_him(thread, create, race):
    crowd = Crowd(thread, create)
    done = race(
        repeating(12, crowd.create, crowd.say),
        repeating(12, crowd.create, crowd.clear),
        repeating(12, crowd.drive),
        repeating(12, crowd.drive, crowd.cancel),
        repeating(12, crowd.expire, crowd.cancel),
    )
    assert done.faults == []  # above all no deadlock
    assert thread.runs.count() > 5
    assert busy_with(thread) is not None or not in_line(thread)


@pytest.mark.django_db(transaction=True)
def test_a_thread_deleted_while_it_is_used(race):
    """Its runs end or were never there; nobody waits for ever."""
    for _ in range(10):
        thread = make_thread()
        assistant = make_assistant(thread.project)
        busy = make_run(thread, assistant=assistant, status=RunStatus.IN_PROGRESS)
        fields = {"assistant_id": assistant.id, "on_active_run": "queue"}
        waiting = operations.create_run(thread, fields)
        done = race(
            lambda thread=thread: operations.delete_thread(thread),
            lambda thread=thread, fields=fields: operations.create_run(thread, fields),
            lambda waiting=waiting: operations.cancel_run(waiting),
            lambda busy=busy: commits.end_driven(
                busy, Turn(frozenset(), set()), [], RunStatus.FAILED
            ),
        )
        assert not [fault for fault in done.faults if isinstance(fault, Error)]
        assert not Thread.objects.filter(id=thread.id).exists()
        assert not Run.objects.exists()
