"""Runs in line: what a new run does on a busy thread, and who is let in when."""

import pytest
from django.utils import timezone

from runs import operations
from runs.contract.errors import ApiError, LineFull, NotCancellable, ThreadBusy, ThreadLocked
from runs.contract.limits import RUNS_IN_LINE
from runs.contract.status import ACTIVE, TERMINAL, RunStatus
from runs.execution import commits
from runs.execution.turn import Turn
from runs.models import Message, Run
from tests.factories import make_assistant, make_run, make_thread
from tests.operations.scene import HI, PAST, again, busy_with, expire, in_line, names, texts

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


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


def test_a_second_cancel_in_line_is_refused(thread, create):
    make_run(thread)
    run = create()
    operations.cancel_run(run)
    with pytest.raises(NotCancellable, match="'cancelled'"):
        operations.cancel_run(run)
