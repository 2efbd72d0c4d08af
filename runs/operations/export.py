"""A thread as plain data, as the API tells of it."""

from typing import Any

from runs.models import Run, Thread
from runs.wire.objects import message_object, run_object, step_object, thread_object


def export_thread(thread: Thread) -> dict[str, Any]:
    """The thread with its messages, runs and their steps: wire objects, oldest first."""
    runs = list(thread.runs.defer("line_messages").order_by("number"))
    return {
        **thread_object(thread),
        "messages": [message_object(message) for message in thread.messages.order_by("number")],
        "runs": [{**run_object(run), "steps": steps_of(run)} for run in runs],
    }


def steps_of(run: Run) -> list[dict[str, Any]]:
    """The steps of a run with their calls."""
    steps = run.steps.order_by("number").prefetch_related("tool_calls")
    return [dict(step_object(step, run)) for step in steps]
