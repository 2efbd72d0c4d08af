"""Runs in line: what a new run does on a busy thread, and who is let in when."""

import itertools
import re
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import Error, transaction
from django.utils import timezone

from runs import operations
from runs.contract.errors import ApiError, LineFull, NotCancellable, ThreadBusy, ThreadLocked
from runs.contract.limits import RUNS_IN_LINE
from runs.contract.status import ACTIVE, TERMINAL, RunStatus
from runs.events import log
from runs.events.log import StaleRun
from runs.execution import commits, line, watchdog
from runs.execution.endings import end_now
from runs.execution.turn import Turn
from runs.models import Message, Run, Thread
from tests.factories import make_assistant, make_run, make_thread

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

PAST = timedelta(minutes=1)
HI = {"role": "user", "content": "Hi"}


@pytest.fixture
def thread():
    return make_thread()


@pytest.fixture
def create(thread):
    """Create a run on the thread, by default in line if it is busy."""
    assistant = make_assistant(thread.project)

    def create(policy="queue", **fields):
        fields = {"assistant_id": assistant.id, "on_active_run": policy} | fields
        return operations.create_run(Thread.objects.get(id=thread.id), fields)

    return create


def again(run):
    return Run.objects.get(number=run.number)


def names(run):
    return [event.name for event in log.read_after(run.id, 0).events]


def in_line(thread):
    return list(thread.runs.filter(in_line=True).order_by("number"))


def busy_with(thread):
    """The runs that have not ended and are not in line: one at most."""
    return thread.runs.filter(status__in=sorted(ACTIVE), in_line=False).first()


def texts(thread):
    return [m.content[0]["text"]["value"] for m in thread.messages.order_by("number")]


def expire(run):
    with transaction.atomic():
        end_now(run, RunStatus.EXPIRED)
    return run


# --- who waits ---


@pytest.mark.parametrize("policy", ["reject", "queue", "cancel", None])
def test_on_a_free_thread_a_run_begins_at_once(thread, create, policy):
    make_run(thread, status="completed")
    run = create(policy, additional_messages=[HI])
    assert (run.status, run.in_line, run.line_messages) == ("queued", False, None)
    assert texts(thread) == ["Hi"]


@pytest.mark.parametrize("policy", ["reject", None])
@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_a_busy_thread_refuses_unless_told_otherwise(thread, create, policy, status):
    busy = make_run(thread, status=status)
    with pytest.raises(ThreadBusy, match=busy.id):
        create(policy)
    assert Run.objects.get() == busy


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_a_run_stands_in_line(thread, create, status):
    busy = make_run(thread, status=status)
    said = Message.objects.count()
    run = again(create(additional_messages=[HI, HI]))
    assert (run.status, run.in_line, run.started_at) == ("queued", True, None)
    assert names(run) == ["thread.run.created", "thread.run.queued"]
    assert len(run.line_messages) == 2
    assert Message.objects.count() == said
    assert again(busy).status == status


def test_the_one_that_is_active_is_named_not_one_in_line(thread, create):
    busy = make_run(thread)
    create()
    for refused, call in (
        (ThreadBusy, lambda: create("reject")),
        (ThreadLocked, lambda: operations.add_message(thread, HI)),
    ):
        with pytest.raises(refused, match=busy.id):
            call()


def test_sixteen_may_stand_in_line(thread, create):
    busy = make_run(thread, status=RunStatus.IN_PROGRESS)
    for _ in range(RUNS_IN_LINE):
        create()
    with pytest.raises(LineFull) as refused:
        create(additional_messages=[HI])
    assert refused.value.status == 400
    assert refused.value.message == (
        f"Thread {thread.id} already has 16 runs in line behind run {busy.id}."
    )
    assert thread.runs.count() == 1 + RUNS_IN_LINE
    operations.cancel_run(in_line(thread)[3])
    assert create().in_line


# --- who is let in ---


def test_the_oldest_is_let_in_with_its_messages(thread, create):
    busy = make_run(thread)
    first = create(additional_messages=[HI, {"role": "assistant", "content": "Yes?"}])
    second = create(additional_messages=[HI | {"content": "Later"}])
    operations.cancel_run(busy)
    first = again(first)
    assert (first.status, first.in_line, first.line_messages) == ("queued", False, None)
    assert texts(thread) == ["Hi", "Yes?"]
    stored = thread.messages.order_by("number").first()
    assert stored.created_at == stored.completed_at > first.created_at
    assert (stored.role, stored.metadata, stored.run_id) == ("user", {}, None)
    assert in_line(thread) == [second]
    assert names(first) == ["thread.run.created", "thread.run.queued"]  # nothing new to tell
    operations.cancel_run(first)
    assert texts(thread) == ["Hi", "Yes?", "Later"]
    assert busy_with(thread) == second


def test_all_of_a_message_is_kept_in_line(thread, create):
    busy = make_run(thread)
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    content = [{"type": "text", "text": "a"}, image]
    files = [{"file_id": "file-1", "tools": [{"type": "file_search"}]}]
    message = {"role": "user", "content": content, "metadata": {"k": "v"}, "attachments": files}
    create(additional_messages=[message])
    operations.cancel_run(busy)
    found = thread.messages.get()
    text = {"type": "text", "text": {"value": "a", "annotations": []}}
    assert (found.content, found.metadata) == ([text, image], {"k": "v"})
    assert found.attachments == files


ENDINGS = {
    "queued": lambda run: operations.cancel_run(run),
    "requires_action": lambda run: operations.cancel_run(run),
    "in_progress": expire,
    "cancelling": lambda run: commits.end_driven(
        run, Turn(frozenset(), set()), [], RunStatus.CANCELLED
    ),
}


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_whatever_ends_the_active_run_lets_the_next_in(thread, create, status):
    busy = make_run(thread, status=status)
    run = create()
    if status == "cancelling":
        busy.status = RunStatus.IN_PROGRESS  # as its driver has it
    ENDINGS[status](busy)
    assert again(busy).status in TERMINAL
    assert busy_with(thread) == run


def test_nobody_is_let_in_by_a_pause_or_a_request_to_stop(thread, create):
    busy = make_run(thread, status=RunStatus.IN_PROGRESS)
    run = create()
    operations.cancel_run(busy)
    assert again(busy).status == "cancelling"
    assert again(run).in_line


def test_the_end_of_a_run_in_line_lets_nobody_in(thread, create):
    busy = make_run(thread, status=RunStatus.IN_PROGRESS)
    first, second, third = (create(additional_messages=[HI]) for _ in range(3))
    assert operations.cancel_run(first).status == "cancelled"
    expire(second)
    assert in_line(thread) == [third]
    for ended in (again(first), again(second)):
        assert (ended.in_line, ended.line_messages, ended.started_at) == (False, None, None)
        assert names(ended)[:2] == ["thread.run.created", "thread.run.queued"]
        assert names(ended)[2:] == [f"thread.run.{ended.status}"]
    assert not thread.messages.exists()  # what they were to say was never said
    assert again(busy).status == "in_progress"


def test_a_run_that_was_let_in_since_it_was_read_is_cancelled_as_what_it_is_now(thread, create):
    busy = make_run(thread)
    first, second = create(), create()
    stale = again(first)
    operations.cancel_run(busy)
    assert stale.in_line
    assert operations.cancel_run(stale).status == "cancelled"
    assert busy_with(thread) == second


def test_a_run_in_line_can_be_changed_and_takes_no_outputs(thread, create):
    make_run(thread)
    run = create()
    operations.update_run(run, {"metadata": {"a": "b"}})
    assert again(run).metadata == {"a": "b"}
    with pytest.raises(ApiError, match="queued"):
        operations.submit_tool_outputs(run, [])


def test_lines_of_two_threads_do_not_mix(thread, create):
    busy, other = make_run(thread), make_thread(thread.project)
    mine = create()
    make_run(other)
    theirs = operations.create_run(
        other, {"assistant_id": make_assistant(other.project).id, "on_active_run": "queue"}
    )
    operations.cancel_run(busy)
    assert (again(mine).in_line, again(theirs).in_line) == (False, True)


def test_deleting_the_thread_takes_its_line_with_it(thread, create):
    make_run(thread, status=RunStatus.IN_PROGRESS)
    create(additional_messages=[HI])
    create()
    operations.delete_thread(thread)
    assert not Run.objects.exists()
    assert not Message.objects.exists()


# --- cancel ---


@pytest.mark.parametrize("status", ["queued", "requires_action"])
def test_a_run_that_cancels_what_waits_begins_at_once(thread, create, status):
    busy = make_run(thread, status=status)
    waiting = create(additional_messages=[HI | {"content": "never"}])
    run = create("cancel", additional_messages=[HI])
    assert (again(busy).status, again(waiting).status) == ("cancelled", "cancelled")
    assert busy_with(thread) == run
    assert not in_line(thread)
    assert [m for m in texts(thread) if m in ("Hi", "never")] == ["Hi"]


@pytest.mark.parametrize("status", ["in_progress", "cancelling"])
def test_a_run_that_cancels_what_works_stands_in_line_until_that_has_ended(thread, create, status):
    busy = make_run(thread, status=status)
    waiting = [create(), create()]
    run = create("cancel", additional_messages=[HI])
    assert again(busy).status == "cancelling"
    assert [again(w).status for w in waiting] == ["cancelled", "cancelled"]
    assert in_line(thread) == [run]
    later = create("cancel")
    assert again(run).status == "cancelled"
    assert in_line(thread) == [later]
    expire_cancelling(busy)
    assert busy_with(thread) == later
    assert not texts(thread)


def expire_cancelling(run):
    """Its driver is gone; the next claim finishes the cancel."""
    Run.objects.filter(id=run.id).update(lease_until=timezone.now() - PAST)
    written = commits.begin(run.id, "next", 60, lambda model: "nobody")
    assert written.run.status == "cancelled"


def test_a_cancel_makes_room_in_a_full_line(thread, create):
    make_run(thread, status=RunStatus.IN_PROGRESS)
    for _ in range(RUNS_IN_LINE):
        create()
    run = create("cancel")
    assert in_line(thread) == [run]


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
        assert watchdog.look(first=first).to_drive == [busy.id]
    assert commits.begin(run.id, "w", 60, lambda model: "nobody") is None
    assert again(run).status == "queued"


def test_a_line_that_stands_is_moved_up(thread, create):
    """As after a row was changed by hand."""
    busy = make_run(thread)
    first, second = create(additional_messages=[HI]), create()
    Run.objects.filter(id=busy.id).update(status=RunStatus.COMPLETED)
    assert watchdog.look(first=True).to_drive == [first.id]
    assert busy_with(thread) == first
    assert in_line(thread) == [second]
    assert texts(thread) == ["Hi"]
    assert watchdog.look(first=True).to_drive == [first.id]


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
    for rows in (watchdog.due(at), watchdog.drivable(at, at), line.standing()):
        for step in rows.explain().splitlines():
            if "runs_run" in step or "U0" in step:
                assert "USING" in step
                assert re.search("INDEX (run_to_|run_in_line|one_active_run)", step)


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


def test_a_second_cancel_in_line_is_refused(thread, create):
    make_run(thread)
    run = create()
    operations.cancel_run(run)
    with pytest.raises(NotCancellable, match="'cancelled'"):
        operations.cancel_run(run)
