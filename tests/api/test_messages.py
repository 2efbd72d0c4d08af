"""Messages through the API."""

import pytest

from runs.contract.status import TERMINAL, MessageStatus
from runs.models import Message
from tests.api.client import error_of, ok
from tests.factories import make_message, make_run, make_thread, text_part


@pytest.fixture
def thread(api):
    """A thread of the caller."""
    return make_thread(api.project)


@pytest.fixture
def url(thread):
    """Where its messages are."""
    return f"/v1/threads/{thread.id}/messages"


def test_create(api, thread, url):
    make_run(thread, "completed")  # which did not write it
    message = ok(api.post(url, {"role": "user", "content": "Hello"}))
    row = Message.objects.get()
    at = int(row.created_at.timestamp())
    assert message == {
        "id": row.id,
        "object": "thread.message",
        "created_at": at,
        "assistant_id": None,
        "thread_id": thread.id,
        "run_id": None,
        "role": "user",
        "content": [text_part("Hello")],
        "attachments": [],
        "metadata": {},
        "status": "completed",
        "incomplete_details": None,
        "completed_at": at,
        "incomplete_at": None,
    }
    assert message["id"].startswith("msg_")
    assert ok(api.get(f"{url}/{row.id}")) == message


def test_create_with_parts(api, url):
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_file", "image_file": {"file_id": "file_1", "detail": "low"}},
    ]
    attachments = [{"file_id": "file_1", "tools": [{"type": "file_search"}]}]
    body = {"role": "user", "content": content, "attachments": attachments, "metadata": {"a": "b"}}
    message = ok(api.post(url, body))
    assert message["content"] == [text_part("What is this?"), *content[1:]]
    assert (message["attachments"], message["metadata"]) == (attachments, {"a": "b"})


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_run_does_not(api, thread, url, status):
    make_run(thread, status)
    ok(api.post(url, {"role": "user", "content": "Hello"}))


def test_modify(api, thread, url):
    row = make_message(thread, metadata={"a": "b"})
    before = ok(api.get(f"{url}/{row.id}"))
    after = ok(api.post(f"{url}/{row.id}", {"metadata": {"c": "d"}}))
    assert after == before | {"metadata": {"c": "d"}}
    error = error_of(api.post(f"{url}/{row.id}", {"content": "New"}), 400)
    assert error["param"] == "content"


def test_delete(api, thread, url):
    row = make_message(thread)
    assert ok(api.delete(f"{url}/{row.id}")) == {
        "id": row.id,
        "object": "thread.message.deleted",
        "deleted": True,
    }
    error = error_of(api.delete(f"{url}/{row.id}"), 404)
    assert error["message"] == f"No message found with id '{row.id}'."


def test_a_missing_thread_is_named(api):
    url = "/v1/threads/thread_x/messages"
    for answer in (api.get(url), api.get(f"{url}/msg_1"), api.post(url, {})):
        assert error_of(answer, 404)["message"] == "No thread found with id 'thread_x'."


def test_list_of_one_run(api, thread, url):
    make_message(thread)
    run = make_run(thread, "in_progress")
    mine = make_message(
        thread,
        role="assistant",
        run=run,
        assistant_id=run.assistant_id,
        status=MessageStatus.IN_PROGRESS,
        content=[],
    )
    (found,) = ok(api.get(f"{url}?run_id={run.id}"))["data"]
    assert (found["id"], found["status"], found["content"]) == (mine.id, "in_progress", [])
    for unknown in ("run_x", "%00", "x" * 999):
        assert ok(api.get(f"{url}?run_id={unknown}"))["data"] == []
    assert len(ok(api.get(f"{url}?run_id="))["data"]) == 2


def test_listing_costs_three_queries(api, thread, url, django_assert_num_queries):
    for _ in range(3):
        make_message(thread)
    api.get(url)
    with django_assert_num_queries(3):  # the key, the thread, the page
        assert len(ok(api.get(url))["data"]) == 3
