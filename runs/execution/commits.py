"""The transactions of a driver. Each is fenced: it writes only while the run is still ours.

They work on a copy of the run row and return it, so that a transaction that fails leaves
the driver's own copy, and with it the numbers it has given out, as they were.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from runs.contract.events import STEP_DELTA
from runs.contract.limits import CLAIMS
from runs.contract.status import TERMINAL, RunStatus, StepStatus
from runs.events import log
from runs.events.log import Event, Fact, StaleRun
from runs.execution import line
from runs.execution.endings import end_now, run_fact
from runs.execution.turn import Outcome, Turn
from runs.lifecycle import runs as lifecycle
from runs.lifecycle import steps
from runs.models import Message, Run, RunStep, ToolCall
from runs.models.database import now
from runs.wire.deltas import call_arguments, call_opening
from runs.wire.objects import required_action

GIVEN_UP = {
    "code": "server_error",
    "message": f"The server was interrupted {CLAIMS} times during one turn; the run was given up.",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction left: the row as it is now, and the events to deliver."""

    run: Run
    events: list[Event]


def begin(
    run_id: str, owner: str, lease_seconds: float, answers: Callable[[str], str]
) -> Written | None:
    """Claim a run and write what the claim means to its readers.

    A run whose driver was lost gets its open step and message closed; one whose cancel
    was left unfinished is cancelled; one that was interrupted too often is failed.

    Args:
        answers: who answers for a model name, in words for people.

    Returns: None if there is nothing to drive: the hint was stale.
    """
    run = Run.objects.filter(id=run_id).first()
    if run is None:
        return None
    fresh = run.status == RunStatus.QUEUED
    doomed = run.status == RunStatus.CANCELLING or run.claims >= CLAIMS
    try:
        with transaction.atomic():
            if doomed:
                line.hold(run.thread_id)  # before the run, as whoever ends one does
            lifecycle.hold(run)
            lifecycle.claim(run, owner, lease_seconds, answered_by=answers(run.model))
            if run.status == RunStatus.CANCELLING:
                return Written(run, end_now(run, RunStatus.CANCELLED))
            if run.claims > CLAIMS:
                return Written(run, end_now(run, RunStatus.FAILED, GIVEN_UP))
            facts = [run_fact(run)] if fresh else steps.close_interrupted(run)
            return Written(run, log.write(run, facts))
    except StaleRun:
        return None


def open_message(run: Run, asked_at: datetime | None = None) -> tuple[Written, RunStep, Message]:
    """Open the message step of the turn, for which the model was asked at ``asked_at``."""
    run = own_copy(run)
    with opening(run):
        step, message, facts = steps.open_message(run, asked_at)
        return Written(run, log.write(run, facts)), step, message


def open_tools(run: Run, asked_at: datetime | None = None) -> tuple[Written, RunStep]:
    """Open the tool step of a turn that begins with a call; ``asked_at`` as above."""
    run = own_copy(run)
    with opening(run):
        step, facts = steps.open_tools(run, index=0, asked_at=asked_at)
        return Written(run, log.write(run, facts)), step


@contextmanager
def opening(run: Run) -> Iterator[None]:
    """A transaction that opens a step.

    Raises:
        StaleRun: a later driver has opened one in this place, or the run is not ours.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as taken:
        if standing(run.id, run.epoch) == RunStatus.IN_PROGRESS:
            raise
        raise StaleRun(run.id) from taken


def commit_turn(run: Run, turn: Turn, outcome: Outcome, left: Sequence[Event]) -> Written:
    """Commit a whole turn: its steps, message, calls, usage and events, and the move.

    Args:
        left: deltas that were delivered but not flushed yet.
    """
    run = own_copy(run)
    ends = outcome.status in TERMINAL
    with transaction.atomic(), line.ending(run) if ends else nullcontext():
        run.metadata = metadata_now(run)
        facts = end_text(run, turn, outcome)
        fields: dict[str, Any] = {
            "turn": run.turn + 1,
            "claims": 0,
            "usage": added(run.usage, outcome.usage),
        }
        if outcome.status == RunStatus.REQUIRES_ACTION:
            calls, new = store_calls(run, turn, outcome)
            facts += new
            fields |= {"required_action": required_action(calls), **waiting_clock(run)}
        elif turn.tool_step is not None:
            error = {"code": "server_error", "message": "The model stopped inside a tool call."}
            facts.append(steps.end_step(turn.tool_step, run, StepStatus.FAILED, now(), [], error))
        if outcome.incomplete_reason:
            fields["incomplete_reason"] = outcome.incomplete_reason
        lifecycle.move(run, outcome.status, **fields)
        return Written(run, log.write(run, [*facts, run_fact(run)], left))


def end_text(run: Run, turn: Turn, outcome: Outcome) -> list[Fact]:
    """End the turn's message, if it wrote one, and its step. The last step has the usage."""
    if turn.message is None or turn.message_step is None:
        return []
    at = now()
    if outcome.status != RunStatus.REQUIRES_ACTION:
        turn.message_step.usage = outcome.usage
    return [
        steps.end_message(turn.message, turn.content(), outcome.message_reason, at),
        steps.end_step(turn.message_step, run, StepStatus.COMPLETED, at),
    ]


def store_calls(run: Run, turn: Turn, outcome: Outcome) -> tuple[list[ToolCall], list[Fact]]:
    """Store the turn's calls; what of them was not delivered live becomes events now."""
    facts: list[Fact] = []
    step = turn.tool_step
    if step is None:
        step, facts = steps.open_tools(run, index=1 if turn.message else 0)
    step.usage, step.called_at = outcome.usage, now()
    step.save(update_fields=["usage", "called_at"])
    calls = []
    for index, call in enumerate(turn.calls):
        if not call.opened:
            facts.append((STEP_DELTA, call_opening(step.id, index, call.id, call.name)))
        rest = "".join(call.undelivered) if call.arguments else "{}"
        if rest:
            facts.append((STEP_DELTA, call_arguments(step.id, index, rest)))
        calls.append(
            ToolCall(
                id=call.id,
                run_id=run.id,
                step_id=step.id,
                index=index,
                name=call.name,
                arguments=call.arguments or "{}",
            )
        )
    ToolCall.objects.bulk_create(calls)
    return calls, facts


def waiting_clock(run: Run) -> dict[str, Any]:
    """The clock of a wait for tool outputs, if it has one of its own."""
    lifetime = run.action_lifetime or settings.RUNSITE_ACTION_LIFETIME
    if lifetime is None:
        return {}
    at = now()
    return {
        "paused_seconds": max((run.expires_at - at).total_seconds(), 0.0),
        "expires_at": at + timedelta(seconds=lifetime),
    }


def end_driven(
    run: Run,
    turn: Turn,
    left: Sequence[Event],
    ending: RunStatus,
    last_error: dict[str, str] | None = None,
) -> Written:
    """End a run in mid-turn: ``failed``, or ``cancelled`` once somebody asked for it."""
    run = own_copy(run)
    with transaction.atomic(), line.ending(run):
        run.metadata = metadata_now(run)
        facts: list[Fact] = []
        if ending == RunStatus.CANCELLED:
            run.status = RunStatus.CANCELLING  # as the row is, or the writes below find nothing
            facts.append(run_fact(run))
        facts += steps.close_open(run, ending, last_error, turn.content())
        lifecycle.move(run, ending, last_error=last_error)
        return Written(run, log.write(run, [*facts, run_fact(run)], log.unstored(run, left)))


def end_incomplete(run: Run, reason: str) -> Written:
    """End a run before a turn, because a token limit leaves no room for one."""
    run = own_copy(run)
    with transaction.atomic(), line.ending(run):
        run.metadata = metadata_now(run)
        lifecycle.move(run, RunStatus.INCOMPLETE, incomplete_reason=reason)
        return Written(run, log.write(run, [run_fact(run)]))


def standing(run_id: str, epoch: int) -> RunStatus | None:
    """The status of a run that is still of this epoch; None if it was taken over or deleted."""
    status = Run.objects.filter(id=run_id, epoch=epoch).values_list("status", flat=True).first()
    return None if status is None else RunStatus(status)


def metadata_now(run: Run) -> dict[str, str]:
    """The run's metadata, which anybody may have changed since it was claimed.

    Raises:
        StaleRun: the run was taken over or deleted.
    """
    # Locked, and before its steps and messages: whoever ends the run from outside takes them in
    # this order.
    ours = Run.objects.select_for_update(no_key=True).filter(id=run.id, epoch=run.epoch)
    for metadata in ours.values_list("metadata", flat=True):
        return dict(metadata)
    raise StaleRun(run.id)


def added(total: dict[str, Any] | None, turn: dict[str, Any]) -> dict[str, Any]:
    """The run's usage with a turn's added to it; both in the wire's shape."""
    if total is None:
        return turn
    return {
        name: added(total[name], value) if isinstance(value, dict) else total[name] + value
        for name, value in turn.items()
    }


def own_copy(run: Run) -> Run:
    """A copy to work on; the original stays as it was if the transaction fails."""
    return copy.copy(run)
