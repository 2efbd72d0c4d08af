"""Threads: the list, the conversation and its composer."""

import pytest

from runs.console import thread_search
from runs.console.views import threads
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
    assert page.content.decode().count("<tr data-row>") == 1


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


def test_text_is_found_in_messages_and_metadata(operator, project):
    by_text, by_metadata, other = (make_thread(project) for _ in range(3))
    make_message(by_text, "Grüße aus Oslo")
    type(by_metadata).objects.filter(id=by_metadata.id).update(metadata={"from": "GRÜSSE aus OSLO"})
    make_message(other, "nothing")
    page = operator.get("/console/threads/", {"q": "grüsse AUS oslo"}).content.decode()
    assert by_text.id in page  # ß is ss without regard to case
    assert by_metadata.id in page
    assert other.id not in page
    assert "No thread says “nowhere”" in says(operator.get("/console/threads/?q=nowhere"))
    assert operator.get("/console/threads/", {"q": "a\0b"}).status_code == 200


def test_a_search_says_how_far_it_looked_and_goes_on(operator, project, monkeypatch):
    monkeypatch.setattr(thread_search, "BATCH", 2)
    monkeypatch.setattr(threads, "FOUND", 1)
    made = [make_thread(project) for _ in range(5)]
    for thread in made:
        make_message(thread, "needle")
    first = operator.get("/console/threads/", {"q": "needle"})
    assert "Looked through 2 threads." in says(first)
    assert made[3].id in first.content.decode()
    path = f"/console/threads/?q=needle&amp;after={made[3].id}"
    assert path.rpartition("/")[2] in first.content.decode()
    second = operator.get("/console/threads/", {"q": "needle", "after": made[3].id})
    shown = second.content.decode()
    assert made[2].id in shown
    assert made[4].id not in shown


def test_a_long_conversation_is_shown_in_windows(operator, project):
    thread = make_thread(project)
    made = [make_message(thread, f"word {place:03d}") for place in range(250)]
    newest = says(operator.get(url(thread)))
    assert "word 249" in newest
    assert "word 150" in newest
    assert "word 149" not in newest
    older = says(operator.get(url(thread), {"after": made[150].id}))
    assert "word 149" in older
    assert "word 150" not in older
    around = says(operator.get(url(thread), {"message": made[100].id}))
    for word in ("word 100", "word 120", "word 021"):
        assert word in around
    assert "word 121" not in around
    assert "Newer messages" in around
    assert "word 249" in says(operator.get(url(thread), {"message": "msg_unknown"}))


def test_the_marks_of_runs_stay_in_their_window(operator, project):
    thread = make_thread(project)
    make_message(thread, "first")
    early = make_run(thread, RunStatus.COMPLETED)
    made = [make_message(thread, f"word {place}") for place in range(150)]
    late = make_run(thread, RunStatus.COMPLETED)
    newest = operator.get(url(thread)).content.decode()
    older = operator.get(url(thread), {"after": made[50].id}).content.decode()
    assert late.id in newest
    assert early.id not in newest
    assert early.id in older
    assert f"runs/{late.id}/" not in older


def test_a_thread_is_deleted_with_its_active_run(operator, project):
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    thread = run.thread
    assert "The run that is active is cancelled first." in says(operator.get(url(thread)))
    response = operator.post(url(thread, "delete/"), follow=True)
    assert f"The thread {thread.id} is deleted." in says(response)
    assert not Run.objects.exists()
    assert operator.post(url(thread, "delete/")).status_code == 404
