"""Rows to wire objects: every key always there, times in whole seconds, no queries."""

from datetime import UTC, datetime

import pytest

from runs.contract.status import TERMINAL, MessageStatus, RunStatus
from runs.models import RunStep
from runs.wire import deltas, objects
from tests.factories import (
    USAGE,
    WEATHER,
    make_assistant,
    make_call,
    make_message,
    make_run,
    make_step,
    make_thread,
)

pytestmark = pytest.mark.django_db

RUN_KEYS = {
    "id", "object", "created_at", "thread_id", "assistant_id", "status", "required_action",
    "last_error", "expires_at", "started_at", "cancelled_at", "failed_at", "completed_at",
    "incomplete_details", "model", "instructions", "tools", "tool_resources", "metadata", "usage",
    "temperature", "top_p", "max_prompt_tokens", "max_completion_tokens", "truncation_strategy",
    "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
}  # fmt: skip
STEP_KEYS = {
    "id", "object", "created_at", "assistant_id", "thread_id", "run_id", "type", "status",
    "step_details", "last_error", "expires_at", "expired_at", "cancelled_at", "failed_at",
    "completed_at", "metadata", "usage",
}  # fmt: skip
MESSAGE_KEYS = {
    "id", "object", "created_at", "thread_id", "status", "incomplete_details", "completed_at",
    "incomplete_at", "role", "content", "assistant_id", "run_id", "attachments", "metadata",
}  # fmt: skip


@pytest.mark.parametrize("status", RunStatus)
def test_a_run_has_all_its_keys_in_every_status(status):
    wire = objects.run_object(make_run(status=status))
    assert set(wire) == RUN_KEYS
    assert (wire["object"], wire["status"]) == ("thread.run", status)


@pytest.mark.parametrize("status", RunStatus)
def test_usage_and_expiry_of_a_run(status):
    wire = objects.run_object(make_run(status=status, usage=USAGE))
    ended = status in TERMINAL
    assert wire["usage"] == (USAGE if ended else None)
    assert (wire["expires_at"] is None) == ended


@pytest.mark.parametrize(
    ("status", "column"),
    [
        ("cancelled", "cancelled_at"),
        ("completed", "completed_at"),
        ("incomplete", "completed_at"),
        ("failed", "failed_at"),
        ("expired", None),
    ],
)
def test_the_end_of_a_run_has_its_time(status, column):
    wire = objects.run_object(make_run(status=status))
    stamps = {name for name in wire if name.endswith("_at") and wire[name] is not None}
    assert stamps - {"created_at", "started_at"} == ({column} if column else set())


def test_what_a_run_says_where_nothing_was_given():
    wire = objects.run_object(make_run())
    assert (wire["temperature"], wire["top_p"]) == (1.0, 1.0)
    assert (wire["response_format"], wire["tool_choice"]) == ("auto", "auto")
    assert wire["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert wire["parallel_tool_calls"] is True


def test_zero_is_a_temperature():
    wire = objects.run_object(make_run(temperature=0.0, top_p=0.0))
    assert (wire["temperature"], wire["top_p"]) == (0.0, 0.0)


def test_times_are_whole_seconds():
    at = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
    wire = objects.run_object(make_run(created_at=at))
    assert wire["created_at"] == 1767323045
    assert type(wire["created_at"]) is int


def test_required_action_has_no_output_key_and_a_step_has():
    run = make_run(status=RunStatus.REQUIRES_ACTION)
    (asked,) = objects.run_object(run)["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert set(asked["function"]) == {"name", "arguments"}
    wire = objects.step_object(run.steps.get(), run)
    (told,) = wire["step_details"]["tool_calls"]
    assert told["function"]["output"] is None
    assert (told["id"], told["type"]) == (asked["id"], "function")


@pytest.mark.parametrize("kind", ["message_creation", "tool_calls"])
def test_a_step_has_all_its_keys(kind):
    step = make_step(type=kind)
    wire = objects.step_object(step, step.run)
    assert set(wire) == STEP_KEYS
    assert wire["step_details"]["type"] == wire["type"] == kind


def test_a_steps_usage_waits_for_its_end():
    run = make_run(status=RunStatus.REQUIRES_ACTION)
    step = run.steps.get()
    step.usage = USAGE
    assert objects.step_object(step, run)["usage"] is None


@pytest.mark.parametrize("status", MessageStatus)
def test_a_message_has_all_its_keys(status):
    wire = objects.message_object(make_message(status=status))
    assert set(wire) == MESSAGE_KEYS
    assert (wire["completed_at"] is not None) == (status == "completed")
    assert wire["incomplete_details"] is None


def test_why_a_message_is_incomplete():
    wire = objects.message_object(make_message(status="incomplete", incomplete_reason="max_tokens"))
    assert wire["incomplete_details"] == {"reason": "max_tokens"}


def test_thread_and_assistant():
    thread = objects.thread_object(make_thread(metadata={"a": "b"}))
    assert thread["metadata"] == {"a": "b"}
    assert set(thread) == {"id", "object", "created_at", "metadata", "tool_resources"}
    assistant = objects.assistant_object(make_assistant(tools=[WEATHER], temperature=0.0))
    assert (assistant["object"], assistant["temperature"]) == ("assistant", 0.0)
    assert assistant["tools"] == [WEATHER]


def test_pages():
    assert objects.list_object([], has_more=False) == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
    }  # fmt: skip
    page = objects.list_object([{"id": "a"}, {"id": "b"}], has_more=True)
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("a", "b", True)


def test_deletions():
    assert objects.deleted_object("msg_1", "thread.message") == {
        "id": "msg_1", "object": "thread.message.deleted", "deleted": True,
    }  # fmt: skip


def test_no_wire_object_asks_the_database(django_assert_num_queries):
    run = make_run(status=RunStatus.REQUIRES_ACTION)
    make_call(run.steps.get())
    step = RunStep.objects.prefetch_related("tool_calls").get(run=run)
    thread, message, assistant = run.thread, make_message(run.thread), make_assistant()
    with django_assert_num_queries(0):
        objects.run_object(run)
        objects.step_object(step, run)
        objects.thread_object(thread)
        objects.message_object(message)
        objects.assistant_object(assistant)


def test_deltas():
    assert deltas.text_delta("msg_1", 0, "Hi", first=True) == {
        "id": "msg_1",
        "object": "thread.message.delta",
        "delta": {
            "content": [{"index": 0, "type": "text", "text": {"value": "Hi", "annotations": []}}]
        },
    }
    (part,) = deltas.text_delta("msg_1", 1, "Hi", first=False)["delta"]["content"]
    assert part == {"index": 1, "type": "text", "text": {"value": "Hi"}}
    (part,) = deltas.refusal_delta("msg_1", 0, "No")["delta"]["content"]
    assert part == {"index": 0, "type": "refusal", "refusal": "No"}
    opening = deltas.call_opening("step_1", 0, "call_1", "f")
    assert (opening["id"], opening["object"]) == ("step_1", "thread.run.step.delta")
    assert opening["delta"]["step_details"] == {
        "type": "tool_calls",
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "f", "arguments": "", "output": None},
            }
        ],
    }
    details = deltas.call_arguments("step_1", 0, "{}")["delta"]["step_details"]
    assert details["tool_calls"] == [
        {"index": 0, "type": "function", "function": {"arguments": "{}"}}
    ]
