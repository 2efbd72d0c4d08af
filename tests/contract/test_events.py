"""Event names are those of the published stream."""

import pytest

from runs.contract import events
from runs.contract.status import TERMINAL, RunStatus, StepStatus

NAMES = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}


@pytest.mark.parametrize("status", RunStatus)
def test_run_events(status):
    assert events.run_event(status) == f"thread.run.{status.value}"


@pytest.mark.parametrize("status", StepStatus)
def test_step_events(status):
    assert events.step_event(status) == f"thread.run.step.{status.value}"


def test_a_run_ends_with_each_terminal_status_and_no_other():
    assert {events.run_event(status) for status in TERMINAL} == events.RUN_ENDS


def test_no_event_that_the_sdks_do_not_know():
    known = {
        "thread.created",
        "thread.run.created",
        "thread.run.requires_action",
        *(f"thread.run.step.{name}" for name in ("created", "in_progress", "delta")),
        *(
            f"thread.message.{name}"
            for name in ("created", "in_progress", "delta", "completed", "incomplete")
        ),
        "done",
        "error",
    }
    assert known == NAMES
