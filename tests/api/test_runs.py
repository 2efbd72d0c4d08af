"""Runs through the API, except for tool outputs, streams and the held poll."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.contract.status import TERMINAL, RunStatus
from runs.models import Message, Run, Thread
from runs.wire.objects import run_object
from tests.api.asked import thread_fixture, url_fixture
from tests.api.client import error_of, ok
from tests.factories import WEATHER, make_assistant, make_run, text_part

__all__ = ["thread_fixture", "url_fixture"]


@pytest.fixture
def assistant(api):
    """An assistant of the caller."""
    return make_assistant(
        api.project, tools=[WEATHER], temperature=0.5, metadata={"of": "assistant"}
    )


def test_create_takes_its_settings_from_the_assistant(api, thread, url, assistant):
    run = ok(api.post(url, {"assistant_id": assistant.id}))
    row = Run.objects.get()
    at = int(row.created_at.timestamp())
    assert run == {
        "id": row.id,
        "object": "thread.run",
        "created_at": at,
        "assistant_id": assistant.id,
        "thread_id": thread.id,
        "status": "queued",
        "started_at": None,
        "expires_at": at + 600,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "incomplete_details": None,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [WEATHER],
        "tool_resources": {},
        "metadata": {},
        "temperature": 0.5,
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "usage": None,
    }
    assert run["id"].startswith("run_")
    assert row.project == api.project


def test_create_with_overrides(api, url, assistant):
    fields = {
        "model": "other",
        "instructions": "Be long.",
        "tools": [],
        "metadata": {"a": "b"},
        "temperature": 0,
        "top_p": 0.1,
        "max_prompt_tokens": 16,
        "max_completion_tokens": 1,
        "truncation_strategy": {"type": "last_messages", "last_messages": 2},
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "response_format": {"type": "text"},
        "reasoning_effort": "xhigh",
    }
    body = fields | {"assistant_id": assistant.id, "additional_instructions": "And kind."}
    run = ok(api.post(f"{url}?include[]=x", body | {"stream": False}))
    assert {name: run[name] for name in fields} == fields | {
        "instructions": "Be long.\n\nAnd kind."
    }


def test_create_with_additional_messages(api, thread, url, assistant):
    more = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    run = ok(api.post(url, {"assistant_id": assistant.id, "additional_messages": more}))
    found = list(thread.messages.order_by("number"))[1:]
    assert [(m.role, m.content) for m in found] == [
        ("user", [text_part("One")]),
        ("assistant", [text_part("Two")]),
    ]
    error = error_of(
        api.post(url, {"assistant_id": assistant.id, "additional_messages": more}), 400
    )
    assert error["message"] == f"Thread {thread.id} already has an active run {run['id']}."
    assert Message.objects.count() == 3  # nothing of the refused one


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_run_makes_room(api, thread, url, assistant, status):
    make_run(thread, status)
    ok(api.post(url, {"assistant_id": assistant.id}))


def test_an_unknown_assistant(api, url):
    for stream in (False, True):
        error = error_of(api.post(url, {"assistant_id": "asst_x", "stream": stream}), 404)
        assert error["message"] == "No assistant found with id 'asst_x'."
    assert not Run.objects.exists()


def test_create_thread_and_run(api, assistant):
    thread = {"messages": [{"role": "user", "content": "Hello"}], "metadata": {"a": "b"}}
    body = {"assistant_id": assistant.id, "thread": thread, "metadata": {"c": "d"}}
    run = ok(api.post("/v1/threads/runs", body))
    row = Thread.objects.get()
    assert (run["thread_id"], run["metadata"], row.metadata) == (row.id, {"c": "d"}, {"a": "b"})
    assert row.messages.get().content == [text_part("Hello")]


def test_create_an_empty_thread_and_run(api, assistant):
    ok(api.post("/v1/threads/runs", {"assistant_id": assistant.id, "thread": None}))
    assert not Message.objects.exists()


def test_no_thread_is_left_of_a_refused_run(api):
    error_of(api.post("/v1/threads/runs", {"assistant_id": "asst_x"}), 404)
    assert not Thread.objects.exists()


@pytest.mark.parametrize("status", RunStatus)
def test_retrieve(api, thread, url, status):
    row = make_run(thread, status)
    answer = api.get(f"{url}/{row.id}")
    assert ok(answer) == run_object(Run.objects.get())
    assert answer["openai-poll-after-ms"] == "250"


def test_times_and_usage_on_the_wire(api, thread, url):
    run = ok(api.get(f"{url}/{make_run(thread, 'completed').id}"))
    assert run["expires_at"] is None
    assert run["usage"]["total_tokens"] == 15
    assert run["completed_at"] >= run["started_at"]
    run = ok(api.get(f"{url}/{make_run(thread, 'requires_action').id}"))
    assert run["expires_at"] > run["created_at"]
    assert run["usage"] is None
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert set(call) == {"id", "type", "function"}
    assert set(call["function"]) == {"name", "arguments"}


@pytest.mark.parametrize("status", RunStatus)
def test_metadata_can_be_changed_at_any_time(api, thread, url, status):
    row = make_run(thread, status)
    before = run_object(row)
    assert ok(api.post(f"{url}/{row.id}", {"metadata": {"a": "b"}})) == before | {
        "metadata": {"a": "b"}
    }
    assert ok(api.post(f"{url}/{row.id}", {})) == before | {"metadata": {"a": "b"}}
    error = error_of(api.post(f"{url}/{row.id}", {"status": "completed"}), 400)
    assert error["code"] == "unknown_parameter"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("queued", "cancelled"),
        ("requires_action", "cancelled"),
        ("in_progress", "cancelling"),
    ],
)
def test_cancel(api, thread, url, before, after):
    row = make_run(thread, before)
    run = ok(api.post(f"{url}/{row.id}/cancel"))
    assert run["status"] == after
    assert (run["cancelled_at"] is None) == (after == "cancelling")
    assert run["required_action"] is None
    error = error_of(api.post(f"{url}/{row.id}/cancel"), 400)
    assert error["message"] == f"Cannot cancel run with status '{after}'."


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ([], None),
        ([WEATHER], None),
        ([{"type": "code_interpreter"}, WEATHER], "code_interpreter not offered to the model"),
    ],
)
def test_warnings_are_headers(api, thread, url, assistant, tools, words):
    """The tests' settings name an upstream, so the model itself needs no warning."""
    created = api.post(url, {"assistant_id": assistant.id, "tools": tools})
    run = ok(created)
    one = f"{url}/{run['id']}"
    answers = [created, api.get(one), api.post(one, {}), api.post(f"{one}/cancel")]
    for answer in answers:
        ok(answer)
        if words is None:
            assert "x-runsite-warning" not in answer
        else:
            assert words in answer["x-runsite-warning"]


def test_a_warning_holds_no_letter_that_a_header_cannot(api, thread, url, assistant, settings):
    settings.RUNSITE_UPSTREAM_URL = None
    model = "ключ\r\nx-injected: 1\x7f"
    answer = api.post(url, {"assistant_id": assistant.id, "model": model})
    assert ok(answer)["model"] == model
    assert "answered by" in answer["x-runsite-warning"]
    assert "????" in answer["x-runsite-warning"]
    assert "x-injected" not in answer


def test_a_missing_thread_is_named(api, url):
    for path in ("", "/run_x", "/run_x/steps", "/run_x/stream"):
        error = error_of(api.get(f"/v1/threads/thread_x/runs{path}"), 404)
        assert error["message"] == "No thread found with id 'thread_x'."
    assert error_of(api.get(f"{url}/run_x"), 404)["message"] == "No run found with id 'run_x'."


def test_listing_costs_three_queries(api, thread, url, django_assert_num_queries):
    for _ in range(3):
        make_run(thread, "completed")
    api.get(url)
    with django_assert_num_queries(3):  # the key, the thread, the page
        assert len(ok(api.get(url))["data"]) == 3


def test_a_run_that_expires_is_still_shown(api, thread, url):
    row = make_run(thread, "queued", expires_at=timezone.now() - timedelta(seconds=1))
    assert ok(api.get(f"{url}/{row.id}"))["status"] == "queued"  # until the watchdog looks
