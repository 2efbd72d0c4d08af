"""A run once more: the same, or with edits."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs import operations
from runs.contract.events import RUN_CREATED, THREAD_CREATED
from runs.events import log
from runs.models import IdempotencyKey, Message, Run, Thread
from tests.console.pages import says, url
from tests.factories import (
    WEATHER,
    make_assistant,
    make_message,
    make_project,
    make_run,
    make_step,
    make_thread,
    text_part,
)

SETTINGS = {
    "model": "other", "instructions": "Be.", "tools": [WEATHER], "temperature": 0.3, "top_p": 0.4,
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "reasoning_effort": "low", "parallel_tool_calls": False, "metadata": {"k": "v"},
    "truncation_strategy": {"type": "last_messages", "last_messages": 4},
    "max_prompt_tokens": 300, "max_completion_tokens": 400, "action_lifetime": 60,
    "tool_resources": {"code_interpreter": {"file_ids": []}}, "given": ["model"],
}  # fmt: skip


@pytest.fixture
def original(project):
    """A run that has ended, after an exchange; the thread has gone on since."""
    thread = make_thread(project, metadata={"of": "thread"})
    make_message(thread, "One")
    make_message(thread, "Two", role="assistant")
    make_message(thread, "Lost", role="assistant", interrupted=True)
    make_message(thread, "Three", metadata={"m": "n"})
    run = make_run(thread, "completed", **SETTINGS)
    make_step(run)
    make_message(thread, "Later", created_at=timezone.now())
    return run


def rerun(client, run, key="k"):
    return client.post(url(run, "rerun/"), {"key": key})


def texts(thread_id):
    return [m.content[0]["text"]["value"] for m in Message.objects.filter(thread_id=thread_id)]


def test_a_rerun_has_the_same_input_and_settings_on_a_new_thread(operator, original):
    response = rerun(operator, original)
    again = Run.objects.first()
    assert response["location"] == url(again)
    assert again.rerun_of == original.id
    assert again.thread_id != original.thread_id
    assert again.assistant_id == original.assistant_id
    assert {name: getattr(again, name) for name in SETTINGS} == SETTINGS
    assert texts(again.thread_id) == ["One", "Two", "Three"]
    assert again.thread.metadata == {"of": "thread"}
    assert Message.objects.filter(thread=again.thread).last().metadata == {"m": "n"}
    assert [event.name for event in log.read_after(again.id, 0).events][:2] == [
        THREAD_CREATED,
        RUN_CREATED,
    ]


def test_a_rerun_outlives_the_assistant_and_ignores_its_changes(operator, original):
    Run.objects.filter(id=original.id).update(assistant_id="asst_gone")
    assert rerun(operator, original).status_code == 302
    assert Run.objects.first().instructions == "Be."


def test_a_rerun_of_a_run_in_line_brings_its_messages(operator, project):
    columns = {"role": "user", "content": [text_part("Waiting")], "attachments": [], "metadata": {}}
    thread = make_thread(project)
    make_run(thread, "in_progress")
    waiting = make_run(thread, in_line=True, line_messages=[columns])
    rerun(operator, waiting)
    assert texts(Run.objects.first().thread_id) == ["Waiting"]


def test_a_rerun_has_as_much_time(operator, project):
    run = make_run(make_thread(project), "completed")
    Run.objects.filter(id=run.id).update(expires_at=run.created_at + timedelta(seconds=77))
    rerun(operator, run)
    again = Run.objects.first()
    assert (again.expires_at - again.created_at).total_seconds() == 77


def test_a_double_click_is_one_rerun(operator, original):
    first, second = rerun(operator, original), rerun(operator, original)
    assert first["location"] == second["location"]
    assert Run.objects.filter(rerun_of=original.id).count() == 1
    assert rerun(operator, original, "other")["location"] != first["location"]


def test_a_refused_rerun_is_told_on_the_page_of_the_run(operator, original):
    rerun(operator, original)
    IdempotencyKey.objects.update(body_digest="of another form")
    response = rerun(operator, original)
    assert response["location"] == url(original)
    assert "This Idempotency-Key was used with another" in says(operator.get(url(original)))
    assert Run.objects.filter(rerun_of=original.id).count() == 1


def test_both_pages_show_the_link(operator, original):
    rerun(operator, original)
    again = Run.objects.first()
    assert again.id in operator.get(url(original)).content.decode()
    page = operator.get(url(again)).content.decode()
    assert f'href="{url(original)}"' in page
    assert f"/console/compare/?a={original.id}&amp;b={again.id}" in page
    Thread.objects.filter(id=original.thread_id).delete()
    assert "Rerun of deleted" in says(operator.get(url(again)))


def test_the_api_does_not_tell(original):
    operations.rerun(original)
    events = log.read_after(Run.objects.first().id, 0).events
    assert not any("rerun_of" in event.data for event in events)


def test_a_run_of_another_project_cannot_be_run_again(operator):
    foreign = make_run(make_thread(make_project()))
    assert rerun(operator, foreign).status_code == 404
    assert operator.get(f"/console/runs/new/?from_run={foreign.id}").status_code == 404
    assert operator.get("/console/runs/new/?from_run=a%00b").status_code == 404


def values(response):
    return {field.name: field.value() for field in response.context["form"] if field.value()}


def test_a_rerun_with_edits_is_filled_with_what_was_asked(operator, original):
    form = values(operator.get(f"/console/runs/new/?from_run={original.id}"))
    assert "Three" in form["messages"]  # it has metadata, which no field takes
    assert form.items() >= {
        "from_run": original.id, "assistant": original.assistant_id, "model": "other",
        "instructions": "Be.", "temperature": 0.3, "top_p": 0.4, "function": "get_weather",
        "response_format": "json_schema", "truncation": "last_messages", "last_messages": 4,
        "parallel_tool_calls": "false", "metadata_key_0": "k", "metadata_value_0": "v",
        "max_prompt_tokens": 300, "max_completion_tokens": 400, "action_expires_in": 60,
    }.items()  # fmt: skip


def test_sent_as_it_is_it_asks_for_the_same(operator, original):
    form = values(operator.get(f"/console/runs/new/?from_run={original.id}"))
    response = operator.post("/console/runs/new/", form)
    assert response.status_code == 302
    again = Run.objects.first()
    same = SETTINGS.keys() - {"tool_resources", "given"}
    assert {name: getattr(again, name) for name in same} == {n: SETTINGS[n] for n in same}
    assert again.rerun_of == original.id
    assert texts(again.thread_id) == ["One", "Two", "Three"]


def test_what_the_assistant_gives_stays_inherited(operator, project):
    assistant = make_assistant(project, tools=[WEATHER, {"type": "file_search"}], temperature=0.5)
    thread = make_thread(project)
    make_message(thread, "Hi")
    run = make_run(thread, "completed", assistant, model="gpt-4o", instructions="Be brief.",
                   temperature=0.5, tools=[{"type": "file_search"}])  # fmt: skip
    form = values(operator.get(f"/console/runs/new/?from_run={run.id}"))
    form.pop("key")
    assert form == {
        "from_run": run.id, "assistant": assistant.id, "text": "Hi", "tool": ["file_search"]
    }  # fmt: skip


def test_a_run_without_an_assistant_of_its_own_names_its_model(operator):
    operator.post("/console/runs/new/", {"model": "runsite/demo", "text": "Hi"})
    form = values(operator.get(f"/console/runs/new/?from_run={Run.objects.get().id}"))
    assert "assistant" not in form
    assert (form["model"], form["text"]) == ("runsite/demo", "Hi")


def test_recent_inputs_can_be_used_again(operator, project, django_assert_max_num_queries):
    for text in ("First", "Second", "Second"):
        operator.post("/console/runs/new/", {"model": "runsite/demo", "text": text})
    page = operator.get("/console/runs/new/")
    recent = page.context["recent"]
    assert [one.excerpt for one in recent] == ["Second", "First"]
    assert f"?from_run={recent[0].run.id}" in page.content.decode()
    with django_assert_max_num_queries(12):
        operator.get("/console/runs/new/")
