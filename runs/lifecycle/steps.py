"""Steps and messages of a run: opened, ended, and closed when the run ends without them."""

from datetime import datetime
from typing import Any

from runs.contract import events as names
from runs.contract.ids import MESSAGE, new_id
from runs.contract.status import CLOSING, STEP_STAMP, MessageStatus, RunStatus, StepStatus
from runs.events import log
from runs.events.log import Fact
from runs.models import Message, Run, RunStep, ToolCall
from runs.models.database import now
from runs.wire.objects import message_object, step_object

INTERRUPTED = {
    "code": "server_error",
    "message": "The server was interrupted; this turn was run again.",
}
EMPTY_TEXT = {"type": "text", "text": {"value": "", "annotations": []}}


def open_message(run: Run, asked_at: datetime | None = None) -> tuple[RunStep, Message, list[Fact]]:
    """Open a message step of the turn under way, with its empty message."""
    at = now()
    message = Message.objects.create(
        id=new_id(MESSAGE),
        thread_id=run.thread_id,
        created_at=at,
        role="assistant",
        assistant_id=run.assistant_id,
        run_id=run.id,
        status=MessageStatus.IN_PROGRESS,
    )
    step = RunStep.objects.create(
        run_id=run.id,
        turn=run.turn + 1,
        index=0,
        type="message_creation",
        created_at=at,
        asked_at=asked_at,
        message_id=message.id,
    )
    return step, message, [*opened(step, run), *opened_message(message)]


def open_tools(
    run: Run, index: int, asked_at: datetime | None = None
) -> tuple[RunStep, list[Fact]]:
    """Open a tool step of the turn under way, at place ``index`` of the turn."""
    step = RunStep.objects.create(
        run_id=run.id,
        turn=run.turn + 1,
        index=index,
        type="tool_calls",
        created_at=now(),
        asked_at=asked_at,
    )
    return step, opened(step, run)


def opened(step: RunStep, run: Run) -> list[Fact]:
    """The two events with which a step begins. Its calls come in deltas."""
    wire = step_object(step, run, [])
    return [(names.STEP_CREATED, wire), (names.STEP_IN_PROGRESS, wire)]


def opened_message(message: Message) -> list[Fact]:
    """The two events with which a message begins."""
    wire = message_object(message)
    return [(names.MESSAGE_CREATED, wire), (names.MESSAGE_IN_PROGRESS, wire)]


def end_message(
    message: Message, content: list[dict[str, Any]], reason: str | None, at: datetime
) -> Fact:
    """End a message with its content: complete, or incomplete for ``reason``.

    An incomplete one has at least one part: openai-python reads ``content[index]``.
    """
    message.content = content or [EMPTY_TEXT]
    message.incomplete_reason = reason
    if reason is None:
        message.status, message.completed_at = MessageStatus.COMPLETED, at
        name = names.MESSAGE_COMPLETED
    else:
        message.status, message.incomplete_at = MessageStatus.INCOMPLETE, at
        name = names.MESSAGE_INCOMPLETE
    # No save(): the message may have been deleted meanwhile, which is no concern of the run.
    Message.objects.filter(number=message.number).update(
        content=message.content,
        status=message.status,
        incomplete_reason=reason,
        completed_at=message.completed_at,
        incomplete_at=message.incomplete_at,
        interrupted=message.interrupted,
    )
    return name, message_object(message)


def end_step(
    step: RunStep,
    run: Run,
    status: StepStatus,
    at: datetime,
    calls: list[ToolCall] | None = None,
    last_error: dict[str, str] | None = None,
) -> Fact:
    """End a step. ``calls`` as for ``step_object``."""
    column = STEP_STAMP[status]
    step.status = status
    step.last_error = last_error
    setattr(step, column, at)
    step.save(update_fields=["status", column, "last_error", "usage", "interrupted"])
    return names.step_event(status), step_object(step, run, calls)


def close_open(
    run: Run,
    ending: RunStatus,
    last_error: dict[str, str] | None = None,
    content: list[dict[str, Any]] | None = None,
) -> list[Fact]:
    """Close what is open because the run ends (cancelled, expired, failed).

    ``content`` is the open message's text where the caller knows it better than the log.
    """
    step_status, reason = CLOSING[ending]
    return _close(run, step_status, reason, step_error(last_error), content, interrupted=False)


def step_error(last_error: dict[str, str] | None) -> dict[str, str] | None:
    """A run's error as its step may carry it: a step knows no ``invalid_prompt``
    (published schema, run step, ``last_error``)."""
    if last_error is None or last_error["code"] == "rate_limit_exceeded":
        return last_error
    return last_error | {"code": "server_error"}


def close_interrupted(run: Run) -> list[Fact]:
    """Close what a lost attempt left open: the turn will be run again with new ids."""
    return _close(run, StepStatus.FAILED, "run_failed", INTERRUPTED, None, interrupted=True)


def _close(
    run: Run,
    step_status: StepStatus,
    reason: str,
    last_error: dict[str, str] | None,
    content: list[dict[str, Any]] | None,
    *,
    interrupted: bool,
) -> list[Fact]:
    facts: list[Fact] = []
    at = now()
    for message in Message.objects.filter(run_id=run.id, status=MessageStatus.IN_PROGRESS):
        message.interrupted = interrupted
        parts = log.parts_so_far(run.id, message.id) if content is None else content
        facts.append(end_message(message, parts, reason, at))
    for step in RunStep.objects.filter(run_id=run.id, status=StepStatus.IN_PROGRESS):
        step.interrupted = interrupted
        calls = list(step.tool_calls.order_by("index"))
        facts.append(end_step(step, run, step_status, at, calls, last_error))
    return facts
