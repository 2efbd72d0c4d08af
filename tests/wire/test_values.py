"""Every field of every wire object has its own value: no two columns here hold the same."""

from datetime import UTC, datetime

import pytest

from runs.wire import objects
from tests.factories import (
    WEATHER,
    make_assistant,
    make_call,
    make_message,
    make_run,
    make_step,
    make_thread,
)

pytestmark = pytest.mark.django_db

AT = 1_800_000_000  # Unix seconds
RESOURCES = {"code_interpreter": {"file_ids": ["file_1"]}}
JSON_ANSWER = {"type": "json_object"}
ACTION = {
    "type": "submit_tool_outputs",
    "submit_tool_outputs": {
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": "{}"},
            }
        ]
    },
}
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_token_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
ERROR = {"code": "rate_limit_exceeded", "message": "Too many."}


def at(seconds: int) -> datetime:
    """A time of its own."""
    return datetime.fromtimestamp(AT + seconds, UTC)


@pytest.mark.parametrize("ended", [False, True])
def test_a_run(ended):
    status = "failed" if ended else "requires_action"
    settings = {
        "model": "a/model",
        "instructions": "Be brief.",
        "tools": [WEATHER],
        "tool_resources": RESOURCES,
        "metadata": {"a": "run"},
        "temperature": 0.25,
        "top_p": 0.5,
        "reasoning_effort": "low",
        "max_prompt_tokens": 1000,
        "max_completion_tokens": 2000,
        "truncation_strategy": {"type": "last_messages", "last_messages": 4},
        "response_format": JSON_ANSWER,
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    stamps = ("created_at", "expires_at", "started_at", "cancelled_at", "failed_at", "completed_at")
    run = make_run(
        status=status,
        required_action=ACTION,
        last_error=ERROR,
        incomplete_reason="max_prompt_tokens",
        usage=USAGE,
        **{name: at(n) for n, name in enumerate(stamps)},
        **settings,
    )
    assert objects.run_object(run) == settings | {
        "id": run.id,
        "object": "thread.run",
        "created_at": AT,
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "status": status,
        "expires_at": None if ended else AT + 1,
        "started_at": AT + 2,
        "cancelled_at": AT + 3,
        "failed_at": AT + 4,
        "completed_at": AT + 5,
        "required_action": ACTION,
        "last_error": ERROR,
        "incomplete_details": {"reason": "max_prompt_tokens"},
        "usage": USAGE if ended else None,
    }


@pytest.mark.parametrize("kind", ["message_creation", "tool_calls"])
def test_a_step(kind):
    run = make_run(expires_at=at(9))
    stamps = ("created_at", "cancelled_at", "completed_at", "expired_at", "failed_at")
    step = make_step(
        run,
        kind,
        "failed",
        message_id="msg_1",
        last_error=ERROR,
        usage=USAGE,
        **{name: at(n) for n, name in enumerate(stamps)},
    )
    details = {"type": kind, "message_creation": {"message_id": "msg_1"}}
    if kind == "tool_calls":
        make_call(step, id="call_1", name="f", arguments='{"a": 1}', output="done")
        call = {"name": "f", "arguments": '{"a": 1}', "output": "done"}
        details = {
            "type": kind,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        }
    assert objects.step_object(step, run) == {
        "id": step.id,
        "object": "thread.run.step",
        "created_at": AT,
        "run_id": run.id,
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "type": kind,
        "status": "failed",
        "cancelled_at": AT + 1,
        "completed_at": AT + 2,
        "expired_at": AT + 3,
        "expires_at": AT + 9,
        "failed_at": AT + 4,
        "last_error": ERROR,
        "step_details": details,
        "usage": USAGE,
        "metadata": {},
    }


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_message(status):
    run = make_run()
    content = [
        {"type": "text", "text": {"value": "Hi", "annotations": []}},
        {"type": "refusal", "refusal": "No."},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": "file_1", "detail": "high"}},
    ]
    attachments = [{"file_id": "file_2", "tools": [{"type": "file_search"}]}]
    message = make_message(
        run.thread,
        role="assistant",
        content=content,
        attachments=attachments,
        metadata={"a": "message"},
        status=status,
        incomplete_reason="max_tokens",
        assistant_id=run.assistant_id,
        run=run,
        created_at=at(0),
        completed_at=at(1),
        incomplete_at=at(2),
    )
    assert objects.message_object(message) == {
        "id": message.id,
        "object": "thread.message",
        "created_at": AT,
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "run_id": run.id,
        "role": "assistant",
        "content": content,
        "attachments": attachments,
        "metadata": {"a": "message"},
        "status": status,
        "incomplete_details": {"reason": "max_tokens"},
        "completed_at": AT + 1 if status == "completed" else None,
        "incomplete_at": AT + 2,
    }


def test_an_assistant():
    fields = {
        "name": "Weather",
        "description": "Knows it.",
        "model": "a/model",
        "instructions": "Be brief.",
        "tools": [WEATHER],
        "top_p": 0.25,
        "temperature": 0.5,
        "reasoning_effort": "low",
        "tool_resources": RESOURCES,
        "metadata": {"a": "assistant"},
        "response_format": JSON_ANSWER,
    }
    assistant = make_assistant(created_at=at(0), **fields)
    expected = {"id": assistant.id, "object": "assistant", "created_at": AT}
    assert objects.assistant_object(assistant) == expected | fields


def test_a_thread():
    fields = {"metadata": {"a": "thread"}, "tool_resources": RESOURCES}
    thread = make_thread(created_at=at(0), **fields)
    expected = {"id": thread.id, "object": "thread", "created_at": AT}
    assert objects.thread_object(thread) == expected | fields
