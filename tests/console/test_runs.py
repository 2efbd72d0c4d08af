"""The list of runs, a run's page, and cancelling one."""

import pytest
from django.utils import timezone

from runs.console.paging import ROWS
from runs.console.text import CUT
from runs.contract.status import CLOSING, RunStatus
from runs.models import Run
from runs.wire.objects import message_object, step_object
from tests.console.pages import says, url
from tests.factories import (
    make_events,
    make_message,
    make_project,
    make_run,
    make_step,
    make_thread,
    text_part,
)

# --- the list ---


def test_the_first_run_is_shown_however_soon_after_the_empty_list(operator, project):
    """Counts are kept for two seconds."""
    operator.get("/console/runs/")
    run = make_run(make_thread(project), assistant_id="asst_first")
    page = operator.get("/console/runs/")
    assert "No runs yet" not in says(page)
    assert run.id in page.content.decode()


def test_an_empty_list_teaches_the_first_call(operator):
    page = operator.get("/console/runs/")
    assert "No runs yet" in says(page)
    assert 'base_url="http://testserver/v1"' in says(page)


def test_the_list_shows_nothing_of_another_project(operator):
    run = make_run(make_thread(make_project()))
    assert run.id not in operator.get("/console/runs/").content.decode()


def test_pages_of_the_list_follow_each_other(operator, project):
    runs = [make_run(make_thread(project), RunStatus.COMPLETED) for _ in range(ROWS + 2)]

    def shown(query):
        page = operator.get(f"/console/runs/{query}").content.decode()
        return [runs.index(run) for run in runs[::-1] if f"/runs/{run.id}/" in page]

    newest = list(range(ROWS + 1, 1, -1))
    assert shown("") == newest
    assert shown(f"?after={runs[2].id}") == [1, 0]
    assert shown(f"?before={runs[1].id}") == newest
    assert shown("?after=run_unknown") == newest


# --- a run ---


@pytest.mark.parametrize("status", RunStatus)
def test_a_run_of_any_status_has_a_page(operator, project, status):
    run = make_run(make_thread(project), status)
    page = operator.get(url(run))
    assert page.status_code == 200
    live = "hx-ws:connect" in page.content.decode()
    over = status in {"completed", "failed", "incomplete", "cancelled", "expired"}
    assert live is not over


def test_a_run_in_line_says_which_one_it_waits_behind(operator, project):
    first = make_run(make_thread(project), RunStatus.IN_PROGRESS)
    second = make_run(first.thread, in_line=True)
    words = {"role": "user", "content": [text_part("And then?")]}
    third = make_run(first.thread, in_line=True, line_messages=[words])
    for run, ahead in ((second, first), (third, second)):
        page = operator.get(url(run)).content.decode()
        assert "In line behind" in page
        assert f'<a href="{url(ahead)[:-1]}/">' in page
    assert "And then?" in operator.get(url(third)).content.decode()  # not in the thread yet
    assert "In line behind" not in operator.get(url(first)).content.decode()


def test_a_run_that_was_let_in_shows_the_message_it_answers(operator, project):
    thread = make_thread(project)
    make_message(thread, "The first question")
    run = make_run(thread, RunStatus.QUEUED)
    make_message(thread, "The second question")
    Run.objects.filter(id=run.id).update(status=RunStatus.IN_PROGRESS, started_at=timezone.now())
    assert "The second question" in operator.get(url(run)).content.decode()


def test_a_message_that_was_cut_says_why(operator, project):
    run = make_run(make_thread(project), RunStatus.CANCELLED)
    message = make_message(
        run.thread, role="assistant", run=run, status="incomplete",
        incomplete_reason="run_cancelled",
    )  # fmt: skip
    make_step(run, status="cancelled", message_id=message.id)
    assert "The message ends here: the run was cancelled." in says(operator.get(url(run)))


@pytest.mark.parametrize("reason", [reason for _, reason in CLOSING.values()])
def test_every_early_end_of_a_message_has_words(reason):
    assert reason in CUT


def test_an_interrupted_attempt_is_shown_as_one(operator, project):
    run = make_run(make_thread(project), RunStatus.COMPLETED)
    left = make_message(
        run.thread, "Half a", role="assistant", run=run, status="incomplete",
        incomplete_reason="run_failed", interrupted=True,
    )  # fmt: skip
    make_step(run, status="failed", message_id=left.id, interrupted=True)
    make_step(run)
    said = says(operator.get(url(run)))
    assert "Interrupted, run again" in said
    assert "Half a Left behind by an interrupted attempt" in said
    assert "Hi!" in said


def test_text_being_written_is_shown_up_to_the_cursor(operator, project):
    """The page and the socket's cursor agree, whatever the rows say by then."""
    run = make_run(make_thread(project), RunStatus.IN_PROGRESS)
    message = make_message(run.thread, role="assistant", run=run, content=[], status="in_progress")
    step = make_step(run, message_id=message.id)
    make_events(run, *opening(step, message, run))
    make_events(run, delta(message, "one "), delta(message, "two\r\n"))
    page = operator.get(url(run)).content.decode()
    assert f'id="{message.id}-text" class="plain writing">one two&#13;\n</div>' in page
    assert f"/console/ws/runs/{run.id}/?after={run.last_number}" in page


def opening(step, message, run):
    return [
        ("thread.run.step.created", step_object(step, run, [])),
        ("thread.message.created", message_object(message)),
    ]


def delta(message, text):
    part = {"index": 0, "type": "text", "text": {"value": text}}
    return (
        "thread.message.delta",
        {"id": message.id, "object": "thread.message.delta", "delta": {"content": [part]}},
    )


@pytest.mark.parametrize(
    "path",
    [
        "/console/runs/?after=run_%00",
        "/console/go/?id=run_%00",
        "/console/r/%00/",
        "/console/threads/%00/",
        "/console/threads/%00/runs/%00/",
        "/console/runs/new/?assistant=%00&thread=%00",
    ],
)
def test_an_id_that_no_database_takes_is_not_there(operator, path):
    assert operator.get(path, follow=True).status_code in (200, 404)


@pytest.mark.parametrize("tail", ["", "cancel/", "outputs/"])
def test_a_run_of_another_project_is_not_there(operator, tail):
    run = make_run(make_thread(make_project()))
    ask = operator.post if tail else operator.get
    foreign, unknown = ask(url(run, tail)), ask(url(run, tail).replace(run.id, "run_" + "x" * 24))
    assert foreign.status_code == unknown.status_code == 404
    assert operator.get(f"/console/r/{run.id}/").status_code == 404
    run.refresh_from_db()
    assert run.status == RunStatus.QUEUED


def test_a_run_is_not_found_under_another_thread(operator, project):
    run = make_run(make_thread(project))
    other = make_thread(project)
    assert operator.get(url(run).replace(run.thread_id, other.id)).status_code == 404


# --- cancelling ---


def test_cancelling_without_script_comes_back_to_the_page(operator, project):
    run = make_run(make_thread(project))
    response = operator.post(url(run, "cancel/"))
    assert response["location"] == url(run)
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED


def test_cancelling_by_script_answers_the_head(operator, project):
    run = make_run(make_thread(project), RunStatus.IN_PROGRESS)
    response = operator.post(url(run, "cancel/"), headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response.content.decode().startswith("<header")
    assert "Cancelling" in says(response)
    assert "Cancel run" not in says(response)


def test_cancelling_what_has_ended_says_so(operator, project):
    run = make_run(make_thread(project), RunStatus.COMPLETED)
    said = says(operator.post(url(run, "cancel/"), follow=True))
    assert "There was nothing to cancel: the run is completed." in said
