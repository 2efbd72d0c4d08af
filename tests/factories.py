"""Rows for tests, written directly. Each function makes what it needs and was not given."""

import itertools
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from runs.contract import ids, keys
from runs.contract.status import (
    ACTIVE,
    DRIVEN,
    STAMP,
    STEP_STAMP,
    TERMINAL,
    MessageStatus,
    RunStatus,
    StepStatus,
)
from runs.events import log
from runs.models import ApiKey, Assistant, Message, Project, Run, RunStep, Thread, ToolCall
from runs.wire.objects import required_action

counter = itertools.count(1)

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_token_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def make_project(name: str = "") -> Project:
    """A project of its own."""
    return Project.objects.create(name=name or f"project {next(counter)}")


def make_key(project: Project | None = None, **columns: Any) -> tuple[ApiKey, str]:
    """A key and its text."""
    plaintext = keys.make_key()
    key = ApiKey.objects.create(
        project=project or make_project(),
        name=columns.pop("name", "test"),
        digest=keys.digest(plaintext),
        shown=keys.mask(plaintext),
        **columns,
    )
    return key, plaintext


def make_assistant(project: Project | None = None, **columns: Any) -> Assistant:
    """An assistant of ``project``."""
    columns = {"name": "Helper", "model": "gpt-4o", "instructions": "Be brief."} | columns
    return Assistant.objects.create(project=project or make_project(), **columns)


def make_thread(project: Project | None = None, **columns: Any) -> Thread:
    """An empty thread of ``project``."""
    return Thread.objects.create(project=project or make_project(), **columns)


def text_part(text: str) -> dict[str, Any]:
    """A text part as it is stored and sent."""
    return {"type": "text", "text": {"value": text, "annotations": []}}


def make_message(thread: Thread | None = None, text: str = "Hello", **columns: Any) -> Message:
    """A completed message, the user's unless ``role`` says otherwise."""
    columns = {"role": "user", "content": [text_part(text)]} | columns
    if columns.get("status", MessageStatus.COMPLETED) == MessageStatus.COMPLETED:
        columns.setdefault("completed_at", timezone.now())
    return Message.objects.create(thread=thread or make_thread(), **columns)


def make_run(
    thread: Thread | None = None,
    status: str = RunStatus.QUEUED,
    assistant: Assistant | None = None,
    **columns: Any,
) -> Run:
    """A run in ``status`` with the columns that belong to it.

    ``requires_action`` comes with a tool step of one call unless ``required_action`` is
    given; a driven run has a lease of an hour.
    """
    thread = thread or make_thread()
    at = timezone.now()
    columns = {
        "assistant_id": (assistant or make_assistant(thread.project)).id,
        "model": "gpt-4o",
        "expires_at": at + timedelta(minutes=10),
        **stamps(RunStatus(status)),
    } | columns
    if status in DRIVEN:
        columns.setdefault("epoch", 1)
        columns.setdefault("lease_owner", "test")
        columns.setdefault("lease_until", at + timedelta(hours=1))
    run = Run.objects.create(thread=thread, project=thread.project, status=status, **columns)
    if status == RunStatus.REQUIRES_ACTION and run.required_action is None:
        step = make_step(run, "tool_calls", calls=["get_weather"])
        run.required_action = required_action(list(step.tool_calls.all()))
        run.save(update_fields=["required_action"])
    return run


def stamps(status: RunStatus) -> dict[str, Any]:
    """The time and detail columns of a run that got to ``status`` the usual way."""
    at = timezone.now()
    columns: dict[str, Any] = {}
    if status != RunStatus.QUEUED:
        columns["started_at"] = at
    if status in TERMINAL:
        columns |= {STAMP[status]: at, "usage": USAGE}
    if status == RunStatus.FAILED:
        columns["last_error"] = {"code": "server_error", "message": "It broke."}
    if status == RunStatus.INCOMPLETE:
        columns["incomplete_reason"] = "max_completion_tokens"
    return columns


def make_step(
    run: Run | None = None,
    type: str = "message_creation",
    status: str | None = None,
    calls: Iterable[str] = (),
    **columns: Any,
) -> RunStep:
    """A step of the run's next free turn; ``calls`` are names of functions it calls.

    Its status is ``in_progress`` in an active run and ``completed`` in one that ended. A
    message step writes its message too.
    """
    run = run or make_run(status=RunStatus.COMPLETED)
    place = StepStatus.IN_PROGRESS if run.status in ACTIVE else StepStatus.COMPLETED
    status = StepStatus(status or place)
    if stamp := STEP_STAMP.get(status):
        columns = {stamp: timezone.now(), "usage": USAGE} | columns
    if type == "message_creation" and "message_id" not in columns:
        columns["message_id"] = make_message(
            run.thread, "Hi!", role="assistant", run=run, assistant_id=run.assistant_id
        ).id
    columns = {"turn": run.steps.count() + 1, "index": 0} | columns
    step = RunStep.objects.create(run=run, type=type, status=status, **columns)
    for index, name in enumerate(calls):
        make_call(step, name=name, index=index)
    return step


def make_call(step: RunStep, **columns: Any) -> ToolCall:
    """A tool call without output."""
    columns = {
        "id": ids.new_id(ids.CALL),
        "index": step.tool_calls.count(),
        "name": "get_weather",
        "arguments": '{"city": "Oslo"}',
    } | columns
    return ToolCall.objects.create(run=step.run, step=step, **columns)


def make_events(run: Run, *facts: tuple[str, dict[str, Any]]) -> list[log.Event]:
    """Append events (name, wire object) to the run's log."""
    events = [log.record(run, name, wire) for name, wire in facts]
    log.append(run, events)
    return events
