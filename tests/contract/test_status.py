"""The table of moves is a sane graph, and what hangs on a status exists."""

import pytest

from runs.contract.status import (
    ACTIVE,
    AT_REST,
    CLOSING,
    DRIVEN,
    MOVES,
    STAMP,
    STEP_STAMP,
    TERMINAL,
    MessageStatus,
    RunStatus,
    StepStatus,
)
from runs.models import Message, Run, RunStep


def reachable(start):
    found, fringe = set(), {start}
    while fringe:
        found |= fringe
        fringe = {to for status in fringe for to in MOVES[status]} - found
    return found


def columns(model):
    return {field.name for field in model._meta.get_fields()}


def test_the_nine_statuses_of_the_sdk():
    assert list(RunStatus) == [
        "queued", "in_progress", "requires_action", "cancelling",
        "cancelled", "completed", "incomplete", "failed", "expired",
    ]  # fmt: skip


def test_every_status_has_a_row():
    assert set(MOVES) == set(RunStatus)


def test_every_status_is_reached_from_queued():
    assert reachable(RunStatus.QUEUED) == set(RunStatus)


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_every_active_status_can_end(status):
    assert reachable(status) & TERMINAL


@pytest.mark.parametrize("status", RunStatus)
def test_nothing_moves_to_itself(status):
    assert status not in MOVES[status]


def test_the_groups():
    assert TERMINAL == {"completed", "incomplete", "failed", "cancelled", "expired"}
    assert ACTIVE == {"queued", "in_progress", "requires_action", "cancelling"}
    assert AT_REST == TERMINAL | {"requires_action"}
    assert DRIVEN == {"in_progress", "cancelling"}


def test_a_driven_run_is_cancelled_only_through_cancelling():
    assert RunStatus.CANCELLED not in MOVES[RunStatus.IN_PROGRESS]
    assert MOVES[RunStatus.CANCELLING] == {RunStatus.CANCELLED}


def test_stamps_are_columns():
    assert set(STAMP.values()) <= columns(Run)
    assert set(STEP_STAMP.values()) <= columns(RunStep)
    assert set(STAMP) >= TERMINAL
    assert set(STEP_STAMP) == set(StepStatus) - {StepStatus.IN_PROGRESS}


def test_whoever_ends_from_outside_closes_what_is_open():
    assert set(CLOSING) == {RunStatus.CANCELLED, RunStatus.EXPIRED, RunStatus.FAILED}


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (RunStatus, Run._meta.get_field("status")),
        (StepStatus, RunStep._meta.get_field("status")),
        (MessageStatus, Message._meta.get_field("status")),
        ([reason for _, reason in CLOSING.values()], Message._meta.get_field("incomplete_reason")),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_every_word_fits_its_column(words, field):
    assert max(len(word) for word in words) <= field.max_length
