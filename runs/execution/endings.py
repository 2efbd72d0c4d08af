"""Ends of a run that somebody other than its driver decides."""

from typing import Any

from runs.contract.events import run_event
from runs.contract.status import DRIVEN, RunStatus
from runs.events import log
from runs.events.log import Event, Fact
from runs.execution import line
from runs.lifecycle import runs as lifecycle
from runs.lifecycle import steps
from runs.models import Run
from runs.wire.objects import run_object


def end_now(run: Run, ending: RunStatus, last_error: dict[str, str] | None = None) -> list[Event]:
    """End an active run (cancelled, expired or failed), inside the caller's transaction, and
    let the next one in line begin.

    Returns the events, to be delivered on commit.

    Raises:
        StaleRun: the run moved on meanwhile.
    """
    with line.ending(run):
        return end(run, ending, last_error)


def end(run: Run, ending: RunStatus, last_error: dict[str, str] | None = None) -> list[Event]:
    """As :func:`end_now`, but the line stays as it is: for callers who hold the thread and end
    all of its runs.

    A driver is fenced off first. Open steps and messages are closed with the text that is
    in the log.
    """
    # Before the rows below, whether anybody drives it or not: all writers take them in this order.
    lifecycle.take_over(run)
    facts: list[Fact] = []
    if ending == RunStatus.CANCELLED and run.status in DRIVEN:
        if run.status == RunStatus.IN_PROGRESS:
            lifecycle.move(run, RunStatus.CANCELLING)
        facts.append(run_fact(run))  # only a driver would have told, together with the end
    facts += steps.close_open(run, ending, last_error)
    fields: dict[str, Any] = {"last_error": last_error} if last_error else {}
    lifecycle.move(run, ending, **fields)
    return log.write(run, [*facts, run_fact(run)])


def run_fact(run: Run) -> Fact:
    """The event that tells the run's status."""
    return run_event(RunStatus(run.status)), run_object(run)
