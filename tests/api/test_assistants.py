"""Assistants through the API."""

from runs.models import Assistant
from tests.api.client import error_of, ok
from tests.factories import WEATHER, make_assistant, make_run, make_thread

URL = "/v1/assistants"


def test_create_with_the_least(api):
    assistant = ok(api.post(URL, {"model": "openai/gpt-4o"}))
    row = Assistant.objects.get()
    assert assistant == {
        "id": row.id,
        "object": "assistant",
        "created_at": int(row.created_at.timestamp()),
        "name": None,
        "description": None,
        "model": "openai/gpt-4o",
        "instructions": None,
        "tools": [],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
    }
    assert assistant["id"].startswith("asst_")
    assert row.project == api.project


#: Every field, each with a value that is not its default.
EVERYTHING = {
    "model": "m",
    "name": "Weather",
    "description": "Knows it",
    "instructions": "Be brief. 😀",
    "tools": [WEATHER, {"type": "code_interpreter"}, {"type": "file_search"}],
    "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
    "metadata": {"a": "b"},
    "temperature": 0,
    "top_p": 0.25,
    "response_format": {"type": "json_object"},
    "reasoning_effort": "low",
}


def test_create_with_everything(api):
    assistant = ok(api.post(URL, EVERYTHING))
    assert {name: assistant[name] for name in EVERYTHING} == EVERYTHING
    assert ok(api.get(f"{URL}/{assistant['id']}")) == assistant


def test_modify_changes_what_is_given(api):
    before = ok(api.post(URL, EVERYTHING))
    one = f"{URL}/{before['id']}"
    after = ok(api.post(one, {"name": "New", "metadata": {"c": "d"}}))
    assert after == before | {"name": "New", "metadata": {"c": "d"}}
    assert ok(api.post(one, {"tools": []})) == after | {"tools": []}
    assert ok(api.get(one)) == after | {"tools": []}


def test_null_changes_nothing(api):
    row = make_assistant(api.project, metadata={"a": "b"}, tools=[WEATHER])
    before = ok(api.get(f"{URL}/{row.id}"))
    fields = dict.fromkeys(("model", "name", "tools", "metadata", "temperature"))
    assert ok(api.post(f"{URL}/{row.id}", fields)) == before
    assert ok(api.post(f"{URL}/{row.id}")) == before


def test_delete(api):
    row = make_assistant(api.project)
    run = make_run(make_thread(api.project), assistant=row)
    assert ok(api.delete(f"{URL}/{row.id}")) == {
        "id": row.id,
        "object": "assistant.deleted",
        "deleted": True,
    }
    error = error_of(api.delete(f"{URL}/{row.id}"), 404)
    assert error["message"] == f"No assistant found with id '{row.id}'."
    kept = ok(api.get(f"/v1/threads/{run.thread_id}/runs/{run.id}"))  # its runs stay
    assert (kept["assistant_id"], kept["status"]) == (row.id, "queued")


def test_listing_costs_two_queries(api, django_assert_num_queries):
    for _ in range(3):
        make_assistant(api.project)
    api.get(URL)
    with django_assert_num_queries(2):  # the key, the page
        assert len(ok(api.get(URL))["data"]) == 3
