"""Finding runs by what was said, called and answered in them, and pages by a pasted id."""

import json
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from django.utils import timezone

from runs.console.paging import ROWS
from runs.console.search import BATCH, Bounds, look
from runs.contract.status import RunStatus
from runs.models import Run
from tests.console.pages import says, url
from tests.factories import (
    make_call,
    make_message,
    make_project,
    make_run,
    make_step,
    make_thread,
    text_part,
)


def done(project, thread=None, **columns):
    return make_run(thread or make_thread(project), RunStatus.COMPLETED, **columns)


def found(client, text, more=""):
    """The runs that a search lists."""
    page = client.get(f"/console/runs/?q={quote(text)}{more}")
    assert page.status_code == 200, says(page)
    return [row.run.id for row in page.context["rows"]]


# --- where a text is looked for ---


def asked(run):
    at = run.created_at - timedelta(seconds=1)
    make_message(run.thread, "Is it GRÜN today?", created_at=at)


def answered(run):
    make_message(run.thread, "It is grün today.", role="assistant", run=run)


def marked(run):
    make_message(run.thread, "x", role="assistant", run=run, metadata={"colour": "Grün"})


def called(run):
    make_step(run, "tool_calls", calls=["get_grün"])


def given(run):
    make_call(make_step(run, "tool_calls"), arguments=json.dumps({"colour": "grün"}))


def returned(run):
    make_call(make_step(run, "tool_calls"), output=json.dumps([{"deep": ["Grün"]}]))


def kept(run):
    Run.objects.filter(id=run.id).update(metadata={"colour": "grün"})


def broke(run):
    error = {"code": "server_error", "message": "Grün broke."}
    Run.objects.filter(id=run.id).update(last_error=error)


@pytest.mark.parametrize("write", [asked, answered, marked, called, given, returned, kept, broke])
@pytest.mark.parametrize("text", ["grün", "GRÜN", " grün "])
def test_a_text_is_found_wherever_it_stands(operator, project, write, text):
    run, other = done(project), done(project)
    answered(done(make_project()))
    write(run)
    make_message(other.thread, "nothing", role="assistant", run=other)
    assert found(operator, text) == [run.id]


def test_a_message_that_waits_in_line_is_found(operator, project):
    first = make_run(make_thread(project), RunStatus.IN_PROGRESS)
    words = {"role": "user", "content": [text_part("And then?")], "metadata": {}}
    second = make_run(first.thread, in_line=True, line_messages=[words])
    assert found(operator, "and THEN") == [second.id]


def test_what_was_asked_later_is_not_what_a_run_read(operator, project):
    thread = make_thread(project)
    done(project, thread, started_at=timezone.now() - timedelta(hours=1))
    make_message(thread, "The second question")
    second = done(project, thread)
    assert found(operator, "second question") == [second.id]


def test_how_json_is_written_does_not_matter(operator, project):
    run = done(project)
    step = make_step(run, "tool_calls")
    make_call(step, arguments='{"city": "Z\\u00fcrich", "n": 17, "quote": "say \\"hi\\""}')
    for text in ("zürich", '"city"', "17", 'say "hi"'):
        assert found(operator, text) == [run.id], text
    assert found(operator, "u00fc") == [run.id]  # as it was sent, too
    make_call(step, arguments='{"broken \\')
    assert found(operator, "broken") == [run.id]


@pytest.mark.parametrize("text", ["%", "_", "\\", "100%", "'; drop"])
def test_no_character_is_special(operator, project, text):
    run = done(project)
    make_message(run.thread, f"a{text}b", role="assistant", run=run)
    other = done(project)
    make_message(other.thread, "a b", role="assistant", run=other)
    assert found(operator, text) == [run.id]


# --- with other filters, pages and counts ---


def test_the_other_filters_hold_as_well(operator, project):
    fine, failed = done(project), make_run(make_thread(project), RunStatus.FAILED)
    for run in (fine, failed):
        answered(run)
    page = operator.get("/console/runs/?q=gr%C3%BCn&status=failed")
    assert [row.run.id for row in page.context["rows"]] == [failed.id]
    assert "All 2" in says(page)
    assert "Completed 1" in says(page)
    assert found(operator, "grün", "&model=other") == []
    assert found(operator, "grün", "&sort=oldest") == [fine.id, failed.id]


def test_pages_of_a_search_follow_each_other(operator, project):
    runs = [done(project, metadata={"a": "needle"}) for _ in range(ROWS + 2)]
    page = operator.get("/console/runs/?q=needle")
    assert [row.run.id for row in page.context["rows"]] == [run.id for run in runs[:1:-1]]
    assert page.context["runs"].on == runs[2].id
    assert found(operator, "needle", f"&after={runs[2].id}") == [runs[1].id, runs[0].id]


def test_a_search_says_how_far_it_looked(project):
    runs = [done(project, metadata={"n": f"needle {n}."}) for n in range(5)]
    rows = Run.objects.for_project(project).order_by("-number")
    first = look(rows, "needle 1.", bounds=Bounds(runs=3))
    assert (first.hits, first.looked, first.last, first.whole) == ([], 3, runs[2].id, False)
    rest = look(rows.filter(number__lt=runs[2].number), "needle 1.", bounds=Bounds(runs=3))
    assert [hit.id for hit in rest.hits] == [runs[1].id]
    assert rest.whole
    assert not look(rows, "x", bounds=Bounds(runs=3)).whole
    assert look(rows, "x", bounds=Bounds(runs=5)).whole


def test_a_search_reads_no_more_characters_than_it_may(project):
    runs = [done(project, metadata={"a": "x" * 500}) for _ in range(BATCH + 50)]
    rows = Run.objects.for_project(project).order_by("-number")
    few = look(rows, "y", bounds=Bounds(characters=1000))  # ends within the first batch
    assert (few.looked, few.last, few.whole) == (2, runs[-2].id, False)
    more = look(rows, "y", bounds=Bounds(characters=BATCH * 510))  # within the second
    assert (more.looked, more.last, more.whole) == (BATCH, runs[50].id, False)


@pytest.mark.parametrize("characters", [1, 1000, 4000])
def test_a_search_that_read_too_much_goes_on_without_loss(project, characters):
    runs = [done(project) for _ in range(20)]
    for run in runs:
        make_call(make_step(run, "tool_calls"), output="x" * 400)
        make_message(run.thread, "needle", role="assistant", run=run)
    rows = left = Run.objects.for_project(project).order_by("-number")
    hits, whole = [], False
    while not whole:
        part = look(left, "needle", bounds=Bounds(characters=characters))
        assert part.looked <= characters // 400 + 1
        hits, whole = hits + part.hits, part.whole
        left = rows.filter(number__lt=part.edge)
    assert [hit.id for hit in hits] == [run.id for run in runs[::-1]]


# --- pasted ids ---


def places(run):
    """Each kind of id, and where it leads."""
    step = make_step(run, "tool_calls", calls=["get_weather"])
    message = make_message(run.thread, role="assistant", run=run)
    thread = f"/console/threads/{run.thread_id}/"
    return {
        run.id: url(run),
        run.thread_id: thread,
        step.id: f"{url(run)}#{step.id}",
        step.tool_calls.get().id: f"{url(run)}#{step.id}",
        run.assistant_id: f"/console/assistants/{run.assistant_id}/",
        message.id: f"{thread}?message={message.id}#{message.id}",
    }


def test_a_pasted_id_leads_to_its_page(operator, project):
    for object_id, place in places(done(project)).items():
        assert operator.get(f"/console/go/?id=%20{object_id}%20")["location"] == place
        assert operator.get(f"/console/runs/?q={object_id}")["location"] == place
        assert operator.get(place).status_code == 200


def test_an_id_of_another_project_leads_nowhere(operator, project):
    done(project)
    for object_id in (*places(done(make_project())), "run_unknown", "msg_0", ""):
        answer = operator.get("/console/go/", {"id": object_id})
        assert answer.status_code == 404
        assert "Nothing in this project has this id" in says(answer)
    assert found(operator, "run_unknown") == []  # a text like any other


@pytest.mark.parametrize("text", ["nothing", "run of a kind", "call_"])
def test_a_text_that_is_no_id_is_looked_for(operator, project, text):
    answer = operator.get("/console/go/", {"id": text})
    assert answer["location"] == f"/console/runs/?{urlencode({'q': text})}"
