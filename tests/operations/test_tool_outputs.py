"""Tool outputs: taken once per wait, all of them or none, whoever comes at the same time."""

import pytest

from runs import operations
from runs.contract.errors import NoOutputsWanted, WrongOutputs
from runs.contract.status import RunStatus
from runs.events.log import StaleRun
from runs.models import Run, ToolCall
from tests.factories import make_call, make_run, make_step
from tests.operations.scene import again, expire, names

pytestmark = pytest.mark.django_db


def waiting(*call_ids, **columns):
    """A run that waits for the outputs of these calls."""
    run = make_run(status=RunStatus.REQUIRES_ACTION, required_action={"x": 1}, **columns)
    step = make_step(run, "tool_calls")
    for call_id in call_ids or ("call_a",):
        make_call(step, id=call_id)
    return again(run)


def outputs(*ids, **more):
    return [{"tool_call_id": i, "output": more.get(i, f"out {i}")} for i in ids]


# --- submit ---


def test_outputs_are_taken(thread):
    run = waiting("call_a", "call_b")
    submission = operations.submit_tool_outputs(run, outputs("call_b", "call_a"))
    found = again(run)
    assert (found.status, found.required_action) == ("queued", None)
    calls = ToolCall.objects.filter(run=run).order_by("index")
    assert [(c.id, c.output) for c in calls] == [
        ("call_a", "out call_a"),
        ("call_b", "out call_b"),
    ]
    assert all(call.submitted_at for call in calls)
    assert names(run) == ["thread.run.step.completed", "thread.run.queued"]
    assert submission.after == 0


@pytest.mark.parametrize("output", [{}, {"output": None}])
def test_an_output_that_is_not_given_is_empty(output):
    run = waiting("call_a")
    operations.submit_tool_outputs(run, [{"tool_call_id": "call_a"} | output])
    assert ToolCall.objects.get(run=run).output == ""


WRONG = {
    "missing": ["call_a"],
    "none": [],
    "unknown": ["call_a", "call_x"],
    "extra": ["call_a", "call_b", "call_c"],
    "doubled": ["call_a", "call_b", "call_b"],
    "doubled instead of the other": ["call_a", "call_a"],
}


@pytest.mark.parametrize("ids", WRONG.values(), ids=WRONG)
def test_wrong_ids_are_refused_and_nothing_is_stored(ids):
    run = waiting("call_a", "call_b")
    with pytest.raises(WrongOutputs) as refused:
        operations.submit_tool_outputs(run, outputs(*ids))
    assert refused.value.message == (
        f"Expected tool outputs for call_ids ['call_a', 'call_b'], got {ids}"
    )
    assert again(run).status == "requires_action"
    assert not ToolCall.objects.filter(output__isnull=False).exists()


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.REQUIRES_ACTION}))
def test_a_run_that_does_not_wait_takes_no_outputs(status):
    with pytest.raises(NoOutputsWanted, match=f'"{status}"'):
        operations.submit_tool_outputs(make_run(status=status), outputs("call_a"))


@pytest.mark.parametrize("status", sorted(RunStatus))
def test_the_same_outputs_again_are_no_error_whatever_became_of_the_run(status):
    run = waiting("call_a", "call_b")
    first = operations.submit_tool_outputs(run, outputs("call_a", "call_b"))
    Run.objects.filter(id=run.id).update(status=status)
    second = operations.submit_tool_outputs(again(run), outputs("call_b", "call_a"))
    assert second.run.status == status
    assert second.after == first.after
    assert names(run).count("thread.run.queued") == 1


def test_other_outputs_afterwards_are_an_error():
    run = waiting("call_a", "call_b")
    operations.submit_tool_outputs(run, outputs("call_a", "call_b"))
    for changed in (
        outputs("call_a", "call_b", call_b="changed"),
        outputs("call_a"),
        outputs("call_a", "call_b", "call_b"),
    ):
        with pytest.raises(NoOutputsWanted):
            operations.submit_tool_outputs(again(run), changed)


def test_outputs_of_an_earlier_round_are_an_error_in_the_next():
    run = waiting("call_a")
    operations.submit_tool_outputs(run, outputs("call_a"))
    Run.objects.filter(id=run.id).update(status=RunStatus.REQUIRES_ACTION)
    make_call(make_step(run, "tool_calls", status="in_progress", turn=2), id="call_b")
    operations.submit_tool_outputs(again(run), outputs("call_a"))  # the latest: still no error
    operations.submit_tool_outputs(again(run), outputs("call_b"))
    with pytest.raises(NoOutputsWanted):
        operations.submit_tool_outputs(again(run), outputs("call_a"))


@pytest.mark.django_db(transaction=True)
def test_twenty_identical_submissions_at_once_are_applied_once(race):
    run = waiting("call_a", "call_b")
    rows = [again(run) for _ in range(20)]
    done = race(
        *[
            lambda row=row: operations.submit_tool_outputs(row, outputs("call_a", "call_b"))
            for row in rows
        ]
    )
    assert done.faults == []
    assert {(s.run.status, s.after) for s in done.results} == {("queued", 0)}
    assert names(run) == ["thread.run.step.completed", "thread.run.queued"]


@pytest.mark.django_db(transaction=True)
def test_of_two_different_submissions_at_once_one_wins(race):
    for _ in range(5):
        run = waiting("call_a")
        first, second = again(run), again(run)
        done = race(
            lambda row=first: operations.submit_tool_outputs(row, outputs("call_a", call_a="1")),
            lambda row=second: operations.submit_tool_outputs(row, outputs("call_a", call_a="2")),
        )
        assert [type(fault) for fault in done.faults] == [NoOutputsWanted]
        (won,) = done.results
        assert ToolCall.objects.get(run=run).output == won.run.submission["outputs"]["call_a"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rival", ["cancel", "expire"])
def test_a_submission_and_its_rival_cannot_both_win(race, rival):
    rounds = 25
    won = {"submit": 0, rival: 0}
    for _ in range(rounds):
        run = waiting("call_a")
        first, second = again(run), again(run)
        other = operations.cancel_run if rival == "cancel" else expire
        done = race(
            lambda row=first: operations.submit_tool_outputs(row, outputs("call_a")) and "submit",
            lambda row=second, other=other: other(row) and rival,
        )
        story, status = names(run), again(run).status
        if "submit" in done.results:
            won["submit"] += 1
            if rival == "cancel":  # it decides again, on a queued run
                assert status == "cancelled"
                assert story[-3:] == [
                    "thread.run.step.completed", "thread.run.queued", "thread.run.cancelled",
                ]  # fmt: skip
            else:
                assert [type(fault) for fault in done.faults] == [StaleRun]
                assert status == "queued"
        else:
            won[rival] += 1
            assert [type(fault) for fault in done.faults] == [NoOutputsWanted]
            assert status == ("cancelled" if rival == "cancel" else "expired")
            assert ToolCall.objects.get(run=run).output is None
            assert "thread.run.queued" not in story
    assert sum(won.values()) == rounds
