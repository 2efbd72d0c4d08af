"""Threads through the API."""

import pytest

from runs.contract.status import ACTIVE, RunStatus
from runs.models import Message, Run, Thread
from tests.api.client import error_of, ok
from tests.factories import make_message, make_run, make_thread, text_part

URL = "/v1/threads"


@pytest.mark.parametrize("body", [None, {}, {"messages": None, "metadata": None}])
def test_create_with_nothing(api, body):
    thread = ok(api.post(URL, body))
    row = Thread.objects.get()
    assert thread == {
        "id": row.id,
        "object": "thread",
        "created_at": int(row.created_at.timestamp()),
        "metadata": {},
        "tool_resources": {},
    }
    assert thread["id"].startswith("thread_")
    assert row.project == api.project


def test_create_with_messages(api):
    messages = [
        {"role": "user", "content": "Hello", "metadata": {"n": "1"}},
        {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
    ]
    thread = ok(api.post(URL, {"messages": messages, "metadata": {"a": "b"}}))
    assert thread["metadata"] == {"a": "b"}
    found = ok(api.get(f"{URL}/{thread['id']}/messages?order=asc"))["data"]
    assert [(m["role"], m["content"], m["metadata"], m["run_id"]) for m in found] == [
        ("user", [text_part("Hello")], {"n": "1"}, None),
        ("assistant", [text_part("Hi")], {}, None),
    ]


def test_nothing_is_stored_of_a_thread_with_a_bad_message(api):
    messages = [{"role": "user", "content": "Hello"}, {"role": "user", "content": []}]
    error = error_of(api.post(URL, {"messages": messages}), 400)
    assert error["param"] == "messages[1].content"
    assert not Thread.objects.exists()


def test_retrieve_and_modify(api):
    row = make_thread(api.project, metadata={"a": "b"})
    before = ok(api.get(f"{URL}/{row.id}"))
    resources = {"code_interpreter": {"file_ids": ["file_1"]}}
    after = ok(api.post(f"{URL}/{row.id}", {"tool_resources": resources}))
    assert after == before | {"tool_resources": resources}
    assert ok(api.post(f"{URL}/{row.id}", {"metadata": {}})) == after | {"metadata": {}}
    error = error_of(api.post(f"{URL}/{row.id}", {"messages": []}), 400)
    assert error["code"] == "unknown_parameter"


@pytest.mark.parametrize("status", [None, RunStatus.COMPLETED, *sorted(ACTIVE)])
def test_delete_takes_everything_with_it(api, status):
    row = make_thread(api.project)
    make_message(row)
    if status:
        make_run(row, status)
    assert ok(api.delete(f"{URL}/{row.id}")) == {
        "id": row.id,
        "object": "thread.deleted",
        "deleted": True,
    }
    assert not any(kind.objects.exists() for kind in (Thread, Message, Run))
    error = error_of(api.delete(f"{URL}/{row.id}"), 404)
    assert error["message"] == f"No thread found with id '{row.id}'."
