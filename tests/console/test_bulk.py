"""Doing one thing to many runs: asked first, done in parts, and told what could not be done."""

import json

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.utils import timezone

from runs.console import bulk, exports
from runs.console.search import BOUNDS
from runs.contract.status import RunStatus
from runs.models import Run, Thread
from tests.console.pages import says
from tests.factories import make_message, make_project, make_run, make_step, make_thread

PATH = "/console/runs/bulk/"


def some(project, number, status=RunStatus.QUEUED, **columns):
    return [make_run(make_thread(project), status, **columns) for _ in range(number)]


def statuses(runs):
    return {Run.objects.get(id=run.id).status for run in runs}


def confirm(client, page):
    """Press the button of a page of confirmation or of a part that is done."""
    names = {"verb": page.context["name"], "confirmed": "1", "key": page.context["key"]}
    fields = names | dict(page.context["fields"])
    outcome = page.context.get("outcome")
    if outcome:
        fields |= {"before": outcome.rest, "done": page.context["done"]}
    return client.post(PATH, {"filters": page.context["filters"]} | fields)


@pytest.mark.slow
def test_fifty_selected_runs_are_cancelled(operator, project):
    chosen, other = some(project, 50), some(project, 1)
    page = operator.post(PATH, {"verb": "cancel", "run": [run.id for run in chosen]})
    assert "Cancel 50 runs" in says(page)
    assert statuses(chosen) == {"queued"}  # only asked so far
    assert "Cancelled 50 runs." in says(confirm(operator, page))
    assert statuses(chosen) == {"cancelled"}
    assert statuses(other) == {"queued"}


def test_all_matching_are_cancelled_and_no_others(operator, project):
    chosen, other = some(project, 3, model="m/1"), some(project, 1)
    page = operator.post(PATH, {"verb": "cancel", "all": "1", "filters": "model=m%2F1"})
    later = some(project, 1, model="m/1")
    assert "Cancel 3 runs" in says(page)
    assert "Cancelled 3 runs." in says(confirm(operator, page))
    assert statuses(chosen) == {"cancelled"}
    assert statuses([*other, *later]) == {"queued"}


def test_all_that_a_search_found_are_cancelled(operator, project):
    chosen, other = some(project, 2, metadata={"a": "needle"}), some(project, 1)
    page = operator.post(PATH, {"verb": "cancel", "all": "1", "filters": "q=needle"})
    assert "Only what the search" not in says(page)  # it has looked at all
    confirm(operator, page)
    assert statuses(chosen) == {"cancelled"}
    assert statuses(other) == {"queued"}


def more_than_a_search_reads(project, sort="newest"):
    """Runs with a text: the first and the last that a search looks at, and one beyond."""
    before, after = (1, 2) if sort == "oldest" else (2, 1)
    found = some(project, before, metadata={"a": "needle"})
    others(project, BOUNDS.runs - 2)
    found += some(project, after, metadata={"a": "needle"})
    return found if sort == "oldest" else found[::-1]


def others(project, number):
    """Runs without the text."""
    at, thread = timezone.now(), make_thread(project)
    kind = {"status": RunStatus.COMPLETED, "completed_at": at, "expires_at": at, "model": "m"}
    Run.objects.bulk_create(
        Run(project=project, thread=thread, assistant_id="asst_x", **kind) for _ in range(number)
    )


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_what_a_search_would_find_beyond_is_not_meant(operator, project, sort):
    first, last, beyond = more_than_a_search_reads(project, sort)
    form = {"verb": "cancel", "all": "1", "filters": f"q=needle&sort={sort}"}
    page = operator.post(PATH, form)
    assert "Cancel 2 runs" in says(page)
    assert "Only what the search has looked at is meant: 2 000 runs, the last" in says(page)
    Run.objects.filter(status=RunStatus.COMPLETED).delete()  # so that it comes further
    cache.clear()
    assert "Cancelled 2 runs." in says(confirm(operator, page))
    assert statuses([first, last]) == {"cancelled"}
    assert statuses([beyond]) == {"queued"}


@pytest.mark.slow
def test_runs_that_come_meanwhile_keep_a_search_from_nothing_that_is_meant(operator, project):
    first, last, _ = more_than_a_search_reads(project)
    page = operator.post(PATH, {"verb": "cancel", "all": "1", "filters": "q=needle"})
    others(project, 5)
    cache.clear()
    assert "Cancelled 2 runs." in says(confirm(operator, page))
    assert statuses([first, last]) == {"cancelled"}


def test_what_has_ended_is_left_out_and_told(operator, project):
    chosen = [*some(project, 2), *some(project, 1, RunStatus.COMPLETED)]
    page = operator.post(PATH, {"verb": "cancel", "run": [run.id for run in chosen]})
    assert "2 of 3 selected runs. The others are ended already" in says(page)
    assert "Cancelled 2 runs." in says(confirm(operator, page))
    none = operator.post(PATH, {"verb": "cancel", "run": [chosen[2].id]})
    assert "Nothing to cancel" in says(none)


def test_what_could_not_be_done_is_listed(operator, project):
    first, second = some(project, 2)
    page = operator.post(PATH, {"verb": "cancel", "run": [first.id, second.id]})
    Run.objects.filter(id=first.id).update(status=RunStatus.COMPLETED)  # ends meanwhile
    said = says(confirm(operator, page))
    assert "Cancelled 1 run. 1 could not be done:" in said
    assert "Cannot cancel run with status 'completed'." in said
    assert statuses([second]) == {"cancelled"}


def test_runs_are_started_again_once(operator, project):
    chosen = some(project, 2, RunStatus.COMPLETED)
    page = operator.post(PATH, {"verb": "rerun", "run": [run.id for run in chosen]})
    assert "Rerun 2 runs" in says(page)
    for _ in range(2):  # a double click
        assert "Started again 2 runs." in says(confirm(operator, page))
    again = Run.objects.exclude(id__in=[run.id for run in chosen])
    assert set(again.values_list("rerun_of", flat=True)) == {run.id for run in chosen}
    assert again.count() == 2


@pytest.mark.slow
def test_many_are_done_in_parts(operator, project):
    chosen = some(project, bulk.AT_ONCE + 2)
    page = operator.post(PATH, {"verb": "cancel", "all": "1", "filters": ""})
    part = confirm(operator, page)
    assert f"Cancelled {bulk.AT_ONCE} runs. There are more." in says(part)
    assert "Go on" in says(part)
    rest = confirm(operator, part)
    assert f"Cancelled {bulk.AT_ONCE + 2} runs." in says(rest)
    assert "Go on" not in says(rest)
    assert statuses(chosen) == {"cancelled"}


def test_runs_are_deleted_with_their_threads(operator, project):
    (first,), (other,) = some(project, 1, RunStatus.COMPLETED), some(project, 1)
    second = make_run(first.thread, RunStatus.IN_PROGRESS)
    make_message(first.thread)
    page = operator.post(PATH, {"verb": "delete", "run": [first.id]})
    assert "1 thread will be deleted" in says(page)
    assert "2 runs (1 of them not selected) and 1 message." in says(page)
    assert "Delete 1 thread and 2 runs" in says(page)
    assert "Deleted 1 thread." in says(confirm(operator, page))
    assert set(Run.objects.values_list("id", flat=True)) == {other.id}
    assert not Thread.objects.filter(id=second.thread_id).exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"verb": "cancel"}, "No run is selected."),
        ({"verb": "paint", "run": "run_x"}, "Nothing of that name can be done to runs."),
        ({"verb": "cancel", "run": " ".join(f"run_{n}" for n in range(1001))}, "More than 1000"),
        ({"verb": "cancel", "all": "1", "filters": "state=x"}, "There is no filter “state”."),
        ({"verb": "cancel", "run": "run_\0"}, "No run is selected."),
    ],
)
def test_what_cannot_be_done_is_told(operator, project, form, words):
    some(project, 1)
    answer = operator.post(PATH, form, follow=True)
    assert words in says(answer)


def test_runs_of_another_project_are_left_alone(operator, project):
    foreign = some(make_project(), 1)
    page = operator.post(PATH, {"verb": "delete", "run": [foreign[0].id]})
    assert "None of the selected runs exist any more." in says(page)
    confirm(operator, page)
    some(project, 1)
    confirm(operator, operator.post(PATH, {"verb": "delete", "all": "1", "filters": ""}))
    assert statuses(foreign) == {"queued"}


def test_the_way_back_keeps_the_filters(operator, project):
    run = some(project, 1)[0]
    page = operator.post(PATH, {"verb": "cancel", "run": [run.id], "filters": "status=queued"})
    assert 'href="/console/runs/?status=queued"' in page.content.decode()
    hostile = operator.post(
        PATH, {"verb": "cancel", "run": [run.id], "filters": '"><script>alert(1)</script>'}
    )
    assert "<script>alert" not in hostile.content.decode()


# --- export ---


def exported(client, **form):
    answer = client.post("/console/runs/export/", form)
    assert answer.status_code == 200
    return answer, async_to_sync(whole)(answer)


async def whole(answer):
    return b"".join([piece async for piece in answer.streaming_content]).decode()


@pytest.mark.django_db(transaction=True)
def test_chosen_runs_are_exported(operator, project):
    chosen, _ = some(project, exports.BATCH + 1, RunStatus.COMPLETED), some(project, 1)
    make_step(chosen[0])
    make_step(chosen[0], "tool_calls", calls=["get_weather"])
    ids = [run.id for run in chosen]
    answer, lines = exported(operator, format="ndjson", run=ids)
    objects = [json.loads(line) for line in lines.splitlines()]
    assert [each["run"]["id"] for each in objects] == ids[::-1]
    assert [step["type"] for step in objects[-1]["steps"]] == ["message_creation", "tool_calls"]
    assert objects[-1]["messages"][0]["role"] == "assistant"
    assert 'filename="runs.ndjson"' in answer["content-disposition"]
    text = exported(operator, format="json", all="1", filters="status=completed")[1]
    assert json.loads(text) == objects


@pytest.mark.django_db(transaction=True)
def test_an_export_of_nothing_is_empty_and_of_another_project_too(operator, project):
    foreign = some(make_project(), 1)
    assert exported(operator, format="json", run=foreign[0].id)[1] == "[]\n"
    assert exported(operator, format="ndjson", run=foreign[0].id)[1] == ""
    answer = operator.post("/console/runs/export/", {"format": "xml", "run": "x"}, follow=True)
    assert "Runs are exported as ndjson or json." in says(answer)
