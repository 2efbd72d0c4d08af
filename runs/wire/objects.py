"""One function per object of the API: a row in, the dict that goes over the wire out.

Source: OpenAPI schemas ``AssistantObject``, ``ThreadObject``, ``MessageObject``,
``RunObject``, ``RunStepObject``, corrected by recorded traffic of the original service.
They ask the database nothing: what they need must be on the row, or prefetched.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runs.contract.status import TERMINAL, MessageStatus, StepStatus
from runs.models import Assistant, Message, Run, RunStep, Thread, ToolCall

Wire = dict[str, Any]

AUTO_TRUNCATION = {"type": "auto", "last_messages": None}


def seconds(at: datetime | None) -> int | None:
    """Unix seconds, as all times on the wire."""
    return None if at is None else int(at.timestamp())


def assistant_object(assistant: Assistant) -> Wire:
    """The wire object of an assistant."""
    return {
        "id": assistant.id,
        "object": "assistant",
        "created_at": seconds(assistant.created_at),
        "name": assistant.name,
        "description": assistant.description,
        "model": assistant.model,
        "instructions": assistant.instructions,
        "tools": assistant.tools,
        "top_p": 1.0 if assistant.top_p is None else assistant.top_p,
        "temperature": 1.0 if assistant.temperature is None else assistant.temperature,
        "reasoning_effort": assistant.reasoning_effort,
        "tool_resources": assistant.tool_resources,
        "metadata": assistant.metadata,
        "response_format": assistant.response_format or "auto",
    }


def thread_object(thread: Thread) -> Wire:
    """The wire object of a thread."""
    return {
        "id": thread.id,
        "object": "thread",
        "created_at": seconds(thread.created_at),
        "metadata": thread.metadata,
        "tool_resources": thread.tool_resources,
    }


def message_object(message: Message) -> Wire:
    """The wire object of a message.

    The original's REST answers left out the four status fields; its schema and its
    streams have them. We always send them.
    """
    done = message.status == MessageStatus.COMPLETED
    reason = message.incomplete_reason
    return {
        "id": message.id,
        "object": "thread.message",
        "created_at": seconds(message.created_at),
        "assistant_id": message.assistant_id,
        "thread_id": message.thread_id,
        "run_id": message.run_id,
        "role": message.role,
        "content": message.content,
        "attachments": message.attachments,
        "metadata": message.metadata,
        "status": message.status,
        "incomplete_details": {"reason": reason} if reason else None,
        "completed_at": seconds(message.completed_at or message.created_at) if done else None,
        "incomplete_at": seconds(message.incomplete_at),
    }


def run_object(run: Run) -> Wire:
    """The wire object of a run."""
    ended = run.status in TERMINAL
    return {
        "id": run.id,
        "object": "thread.run",
        "created_at": seconds(run.created_at),
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "status": run.status,
        "started_at": seconds(run.started_at),
        "expires_at": None if ended else seconds(run.expires_at),
        "cancelled_at": seconds(run.cancelled_at),
        "failed_at": seconds(run.failed_at),
        "completed_at": seconds(run.completed_at),
        "required_action": run.required_action,
        "last_error": run.last_error,
        "incomplete_details": {"reason": run.incomplete_reason} if run.incomplete_reason else None,
        "model": run.model,
        "instructions": run.instructions,
        "tools": run.tools,
        "tool_resources": run.tool_resources,
        "metadata": run.metadata,
        "temperature": 1.0 if run.temperature is None else run.temperature,
        "top_p": 1.0 if run.top_p is None else run.top_p,
        "reasoning_effort": run.reasoning_effort,
        "max_prompt_tokens": run.max_prompt_tokens,
        "max_completion_tokens": run.max_completion_tokens,
        "truncation_strategy": run.truncation_strategy or AUTO_TRUNCATION,
        "response_format": run.response_format or "auto",
        "tool_choice": run.tool_choice or "auto",
        "parallel_tool_calls": run.parallel_tool_calls,
        "usage": run.usage if ended else None,
    }


def step_object(step: RunStep, run: Run, calls: Sequence[ToolCall] | None = None) -> Wire:
    """The wire object of a run step.

    ``calls`` are its tool calls in order; when not given, the prefetched
    ``step.tool_calls`` are taken.
    """
    return {
        "id": step.id,
        "object": "thread.run.step",
        "created_at": seconds(step.created_at),
        "run_id": step.run_id,
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "type": step.type,
        "status": step.status,
        "cancelled_at": seconds(step.cancelled_at),
        "completed_at": seconds(step.completed_at),
        "expired_at": seconds(step.expired_at),
        "expires_at": seconds(run.expires_at),
        "failed_at": seconds(step.failed_at),
        "last_error": step.last_error,
        "step_details": step_details(step, calls),
        "usage": None if step.status == StepStatus.IN_PROGRESS else step.usage,
        "metadata": {},
    }


def step_details(step: RunStep, calls: Sequence[ToolCall] | None) -> Wire:
    """What the step did: wrote a message, or called tools."""
    if step.type == "message_creation":
        return {
            "type": "message_creation",
            "message_creation": {"message_id": step.message_id},
        }
    found = step.tool_calls.all() if calls is None else calls
    return {"type": "tool_calls", "tool_calls": [call_object(call) for call in found]}


def call_object(call: ToolCall) -> Wire:
    """A tool call inside a step: with its output, null until it was submitted."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments, "output": call.output},
    }


def required_action(calls: Sequence[ToolCall]) -> Wire:
    """What a waiting run asks for. Its calls have no ``output`` key, unlike a step's."""
    return {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in calls
            ]
        },
    }


def list_object(data: Sequence[Wire], *, has_more: bool) -> Wire:
    """A page. An empty one has null ids, not absent ones."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def deleted_object(object_id: str, kind: str) -> Wire:
    """The answer to a deletion; ``kind`` as on the wire: ``thread``, ``thread.message``, …"""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}
