"""What the tests of prompts share: what was said in a thread, and what a turn then asks."""

import itertools
from typing import Any

from django.utils import timezone

from runs.contract.status import RunStatus
from runs.execution.prompt import build
from runs.models import Message, Run, Thread, ToolCall
from runs.providers.base import TurnRequest
from tests.factories import make_call, make_message, make_run, make_step

numbers = itertools.count(1)


def ask(thread: Thread, text: str = "Question") -> Message:
    """A message of the user."""
    return make_message(thread, text)


def driven(thread: Thread, **columns: Any) -> Run:
    """A run of the thread that is driven."""
    columns = {"instructions": None} | columns
    return make_run(thread, status=RunStatus.IN_PROGRESS, **columns)


def said(run: Run, text: str = "Answer", turn: int = 1, **columns: Any) -> Message:
    """A turn of the run that wrote a message."""
    step = {"status": columns.pop("step_status", "completed")}
    interrupted = columns.get("interrupted", False)
    message = make_message(run.thread, text, role="assistant", run=run, **columns)
    make_step(run, turn=turn, message_id=message.id, interrupted=interrupted, **step)
    return message


def called(
    run: Run, *outputs: str, turn: int = 1, index: int = 0, text: str | None = None
) -> list[ToolCall]:
    """A turn of the run that called tools, perhaps after some text."""
    if text is not None:
        said(run, text, turn=turn)
        index = 1
    step = make_step(run, "tool_calls", status="completed", turn=turn, index=index)
    return [
        make_call(step, id=f"call_{next(numbers)}", output=output, submitted_at=timezone.now())
        for output in outputs
    ]


def answered(thread: Thread, *outputs: str, text: str = "Answer") -> Run:
    """An earlier run that called tools, if there are outputs, and then answered."""
    run = make_run(thread, status=RunStatus.COMPLETED)
    if outputs:
        called(run, *outputs)
    said(run, text, turn=2)
    return run


def prompt(run: Run, context_tokens: int | None = None) -> TurnRequest:
    """What the run's next turn asks the model."""
    return build(run, context_tokens).request


def brief(run: Run, context_tokens: int | None = None) -> list[str]:
    """The messages as text, one letter for the role."""
    words = {"system": "S", "user": "U", "assistant": "A", "tool": "T"}
    told = []
    for message in prompt(run, context_tokens).messages:
        calls = f"+{len(message['tool_calls'])}" if "tool_calls" in message else ""
        told.append(f"{words[message['role']]}:{message['content']}{calls}")
    return told
