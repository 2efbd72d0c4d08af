"""Threads: the list, the conversation and its composer."""

import pytest

from runs.contract.status import RunStatus
from runs.models import Message, Run
from tests.console.pages import says
from tests.factories import make_assistant, make_message, make_project, make_run, make_thread


def url(thread, tail=""):
    return f"/console/threads/{thread.id}/{tail}"


def test_the_list_shows_last_messages(operator, project):
    thread = make_thread(project)
    make_message(thread, "earlier words")
    make_message(thread, "last words")
    make_thread(make_project())
    page = operator.get("/console/threads/")
    assert "last words" in says(page)
    assert "earlier words" not in says(page)
    assert page.content.decode().count("<tr>") == 2


def test_no_threads_yet(operator):
    assert "No threads yet" in says(operator.get("/console/threads/"))


def test_a_conversation_marks_its_runs(operator, project):
    thread = make_thread(project)
    make_message(thread, "Question?")
    run = make_run(thread, RunStatus.COMPLETED)
    make_message(thread, "**Answer**", role="assistant", run=run)
    page = operator.get(url(thread)).content.decode()
    assert page.index("Question?") < page.index(run.id) < page.index("<strong>Answer</strong>")


def test_add_only(operator, project):
    thread = make_thread(project)
    response = operator.post(url(thread, "messages/"), {"text": "Hi", "role": "assistant"})
    assert response["location"] == url(thread)
    assert Message.objects.get().role == "assistant"
    assert Run.objects.count() == 0


def test_add_and_run(operator, project):
    thread = make_thread(project)
    assistant = make_assistant(project)
    fields = {"text": "Hi", "assistant": assistant.id, "model": "other", "run": "1"}
    response = operator.post(url(thread, "messages/"), fields)
    run = Run.objects.get()
    assert response["location"] == url(thread, f"runs/{run.id}/")
    assert (run.assistant_id, run.model) == (assistant.id, "other")
    assert Message.objects.get().content[0]["text"]["value"] == "Hi"


def test_running_needs_somebody_to_answer(operator, project):
    response = operator.post(url(make_thread(project), "messages/"), {"text": "Hi", "run": "1"})
    assert response.status_code == 422
    assert "Choose an assistant or name a model to run." in says(response)
    assert "Hi" in response.content.decode()
    assert Message.objects.count() == 0


@pytest.mark.parametrize("extra", [{}, {"run": "1", "model": "m"}])
def test_a_thread_with_an_active_run_takes_no_message(operator, project, extra):
    run = make_run(make_thread(project))
    page = operator.get(url(run.thread)).content.decode()
    assert "A run is active on this thread" in page
    assert page.count("disabled") == 2
    response = operator.post(url(run.thread, "messages/"), {"text": "Hi", **extra})
    assert response.status_code == 422
    assert Message.objects.count() == 0


def test_of_several_runs_the_active_one_is_named(operator, project):
    active = make_run(make_thread(project), "in_progress")
    make_run(active.thread, in_line=True)
    page = operator.get(url(active.thread))
    words = says(page)
    assert "in line" in words
    link = f'A run is active on this thread: <a href="/console/threads/{active.thread_id}/runs/'
    assert f"{link}{active.id}/" in page.content.decode()


def test_a_thread_of_another_project_is_not_there(operator):
    thread = make_thread(make_project())
    assert operator.get(url(thread)).status_code == 404
    assert operator.post(url(thread, "messages/"), {"text": "Hi"}).status_code == 404
