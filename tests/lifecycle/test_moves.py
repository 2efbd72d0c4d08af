"""Moves of a run: the table is the law, and of two writers one wins."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from runs.contract.limits import NUMBER_JUMP
from runs.contract.status import DRIVEN, MOVES, STAMP, TERMINAL, RunStatus
from runs.lifecycle import runs as lifecycle
from runs.lifecycle.runs import IllegalMove, StaleRun
from runs.models import Run
from tests.factories import make_run

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(hours=1)


def same(run):
    """The row as another process has it in memory."""
    return Run.objects.get(number=run.number)


@pytest.mark.parametrize("before", RunStatus)
@pytest.mark.parametrize("to", RunStatus)
def test_the_table_is_the_law(before, to):
    run = make_run(status=before)
    if to in MOVES[before]:
        assert lifecycle.move(run, to).status == to
    else:
        with pytest.raises(IllegalMove):
            lifecycle.move(run, to)
    assert same(run).status == run.status


@pytest.mark.parametrize("to", sorted(STAMP))
def test_the_first_entry_is_stamped(to):
    before = next(status for status in RunStatus if to in MOVES[status])
    run = make_run(status=before, started_at=None)
    lifecycle.move(run, to)
    stamped = getattr(same(run), STAMP[to])
    assert stamped is not None
    assert abs(timezone.now() - stamped) < timedelta(seconds=10)


def test_started_at_keeps_its_first_value():
    run = make_run(status=RunStatus.QUEUED, started_at=LONG_AGO)
    lifecycle.move(run, RunStatus.IN_PROGRESS)
    assert same(run).started_at == LONG_AGO


@pytest.mark.parametrize("to", sorted(set(RunStatus) - DRIVEN))
def test_a_run_that_waits_or_ended_is_nobodys(to):
    before = next(status for status in RunStatus if to in MOVES[status])
    run = make_run(status=before, lease_owner="me", lease_until=timezone.now())
    lifecycle.move(run, to)
    found = same(run)
    assert (found.lease_owner, found.lease_until) == ("", None)


@pytest.mark.parametrize("to", sorted(TERMINAL))
def test_an_ended_run_asks_for_nothing(to):
    before = next(status for status in RunStatus if to in MOVES[status])
    run = make_run(status=before, required_action={"type": "submit_tool_outputs"})
    lifecycle.move(run, to)
    assert same(run).required_action is None


@pytest.mark.parametrize("to", sorted(TERMINAL & MOVES[RunStatus.QUEUED]))
def test_an_ended_run_stands_in_no_line(to):
    run = lifecycle.move(make_run(in_line=True, line_messages=[{"role": "user"}]), to)
    found = same(run)
    assert (found.in_line, found.line_messages) == (run.in_line, run.line_messages) == (False, None)


def test_a_run_in_line_cannot_be_claimed():
    run = make_run(in_line=True)
    with pytest.raises(StaleRun):
        lifecycle.claim(run, "me", 5)
    assert same(run).status == RunStatus.QUEUED


def test_a_run_leaves_the_line_once():
    run = make_run(in_line=True, line_messages=[{"role": "user"}])
    second = same(run)
    lifecycle.leave_line(run)
    found = same(run)
    assert (found.status, found.epoch) == ("queued", 0)
    assert (found.in_line, found.line_messages) == (run.in_line, run.line_messages) == (False, None)
    with pytest.raises(StaleRun):
        lifecycle.leave_line(second)
    with pytest.raises(StaleRun):
        lifecycle.claim(second, "me", 5)  # as it was read
    assert lifecycle.claim(same(run), "me", 5).status == "in_progress"


def test_two_writers_cannot_both_win():
    run = make_run()
    driver, canceller = same(run), same(run)
    lifecycle.move(driver, RunStatus.IN_PROGRESS)
    with pytest.raises(StaleRun):
        lifecycle.move(canceller, RunStatus.CANCELLED)
    assert same(run).status == RunStatus.IN_PROGRESS


def test_a_writer_of_an_older_epoch_loses_though_the_status_is_the_same():
    run = make_run(status=RunStatus.IN_PROGRESS, lease_until=LONG_AGO)
    older = same(run)
    lifecycle.claim(run, "new", 5)
    with pytest.raises(StaleRun):
        lifecycle.move(older, RunStatus.COMPLETED)
    with pytest.raises(StaleRun):
        lifecycle.write(older, turn=9)


def test_a_deleted_run_is_stale():
    run = make_run()
    Run.objects.filter(id=run.id).delete()
    with pytest.raises(StaleRun):
        lifecycle.move(run, RunStatus.CANCELLED)


def test_claim_of_a_queued_run():
    run = lifecycle.claim(make_run(next_number=3, last_number=2), "me", 5, answered_by="x")
    found = same(run)
    assert (found.status, found.epoch, found.claims) == ("in_progress", 1, 1)
    assert (found.lease_owner, found.answered_by) == ("me", "x")
    assert timedelta(0) < found.lease_until - timezone.now() <= timedelta(seconds=5)
    assert found.next_number == 3  # nobody held it: nothing can have been delivered


@pytest.mark.parametrize("status", sorted(DRIVEN))
def test_claim_of_a_lapsed_run_jumps(status):
    run = make_run(status=status, lease_until=LONG_AGO, next_number=7, claims=2)
    lifecycle.claim(run, "me", 5)
    found = same(run)
    assert (found.status, found.epoch, found.claims) == (status, 2, 3)
    assert found.next_number == run.next_number == 7 + NUMBER_JUMP


@pytest.mark.parametrize("status", sorted(DRIVEN))
def test_a_held_run_cannot_be_claimed(status):
    with pytest.raises(StaleRun):
        lifecycle.claim(make_run(status=status), "me", 5)


@pytest.mark.parametrize("status", sorted(TERMINAL | {RunStatus.REQUIRES_ACTION}))
def test_a_resting_run_cannot_be_claimed(status):
    with pytest.raises(StaleRun):
        lifecycle.claim(make_run(status=status), "me", 5)


def test_of_two_claims_one_wins():
    run = make_run()
    first, second = same(run), same(run)
    lifecycle.claim(first, "first", 5)
    with pytest.raises(StaleRun):
        lifecycle.claim(second, "second", 5)
    assert same(run).lease_owner == "first"


def test_a_lease_renewed_since_the_run_was_read_is_respected():
    run = make_run(status=RunStatus.IN_PROGRESS, lease_owner="holder", lease_until=LONG_AGO)
    waiting = same(run)
    lifecycle.renew(["holder"], 5)
    with pytest.raises(StaleRun):
        lifecycle.claim(waiting, "thief", 5)


@pytest.mark.parametrize("status", sorted(DRIVEN))
def test_take_over_fences_off_and_jumps(status):
    run = lifecycle.take_over(make_run(status=status, next_number=7))
    found = same(run)
    assert (found.epoch, found.next_number, found.lease_owner) == (2, 7 + NUMBER_JUMP, "")
    assert found.lease_until is None


def test_take_over_of_what_nobody_holds_does_not_jump():
    assert lifecycle.take_over(make_run(next_number=7)).next_number == 7


def test_take_over_knows_what_was_flushed_since_the_run_was_read():
    """A flush moves the numbers, but neither status nor epoch."""
    run = make_run(status=RunStatus.IN_PROGRESS, next_number=7, last_number=6)
    Run.objects.filter(id=run.id).update(next_number=5000, last_number=4999)
    lifecycle.take_over(run)
    assert (run.next_number, run.last_number) == (5000 + NUMBER_JUMP, 4999)


def test_renew_tells_the_status_of_what_is_still_held():
    mine = make_run(status=RunStatus.IN_PROGRESS, lease_owner="a", lease_until=LONG_AGO)
    make_run(status=RunStatus.CANCELLING, lease_owner="b")
    make_run(status=RunStatus.COMPLETED, lease_owner="c")
    other = make_run(status=RunStatus.IN_PROGRESS, lease_owner="d", lease_until=LONG_AGO)
    assert lifecycle.renew(["a", "b", "c", "gone"], 5) == (
        {"a": "in_progress", "b": "cancelling"},
        set(),
    )
    assert same(mine).lease_until > timezone.now()
    assert same(other).lease_until == LONG_AGO


def test_release_lets_others_take_over_at_once():
    """And counts for no interruption by the run."""
    run = make_run(status=RunStatus.IN_PROGRESS, lease_owner="me", claims=2)
    lifecycle.release(["me"])
    assert same(run).claims == 1
    lifecycle.claim(same(run), "other", 5)
    assert (same(run).lease_owner, same(run).claims) == ("other", 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("threads", [8])
def test_of_many_claims_at_once_one_wins(threads):
    run = make_run()
    won, barrier = [], threading.Barrier(threads)

    def claim(name):
        row = same(run)
        barrier.wait()
        try:
            with transaction.atomic():
                lifecycle.claim(row, name, 5)
            won.append(name)
        except StaleRun:
            pass
        finally:
            connection.close()

    racers = [threading.Thread(target=claim, args=(f"w{i}",)) for i in range(threads)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert won == [same(run).lease_owner]
    assert same(run).epoch == 1
