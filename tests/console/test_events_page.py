"""The event log as a page: in order, 200 at a time, as it was sent; and the JSON view."""

import pytest

from runs.console.payload import size
from runs.console.views.events import PAGE
from runs.contract.status import RunStatus
from runs.events.log import dumps
from runs.models import EventChunk
from runs.operations import compact_run
from runs.wire.deltas import text_delta
from runs.wire.objects import run_object
from tests.console.pages import says, url
from tests.factories import make_events, make_project, make_run, make_step, make_thread


@pytest.fixture
def run(project):
    run = make_run(make_thread(project), RunStatus.COMPLETED)
    make_events(run, ("thread.run.created", run_object(run)))
    texts = [("thread.message.delta", text_delta("msg_1", 0, f"<b>{i}", first=not i))
             for i in range(PAGE + 5)]  # fmt: skip
    make_events(run, *texts)
    make_events(run, ("thread.run.completed", run_object(run)))
    return run


def numbers(page) -> list[int]:
    found = page.content.decode().split('id="event-')[1:]
    return [int(part.partition('"')[0]) for part in found]


def test_pages_follow_each_other_in_order(operator, run):
    first = operator.get(url(run, "events/"))
    assert numbers(first) == list(range(1, PAGE + 1))
    assert f"?after={PAGE}&amp;name=" in first.content.decode()
    second = operator.get(url(run, f"events/?after={PAGE}"))
    assert numbers(second) == list(range(PAGE + 1, PAGE + 8))
    assert "Later events" not in says(second)


def test_each_event_has_its_time_size_and_object(operator, run):
    EventChunk.objects.filter(run=run).update(created_at=run.created_at)
    page = operator.get(url(run, "events/?name=thread.run.completed"))
    assert numbers(page) == [PAGE + 7]
    said = says(page)
    assert f"{PAGE + 7} +0 ms thread.run.completed" in said
    assert f'"id": "{run.id}"' in said
    assert f"}} {size(len(dumps(run_object(run))))}" in said


def test_hostile_text_stays_text(operator, run):
    page = operator.get(url(run, "events/")).content.decode()
    assert "<b>0" not in page
    assert "&lt;b&gt;0" in page


def test_as_server_sent_events_it_is_what_was_sent(operator, run):
    page = operator.get(url(run, f"events/?after={PAGE}&as=sse"))
    assert page["content-type"] == "text/plain; charset=utf-8"
    sent = "".join(EventChunk.objects.filter(run=run).values_list("body", flat=True))
    assert sent.endswith(page.content.decode())
    assert page.content.decode().startswith(
        f"id: {PAGE + 1}\nevent: thread.message.delta\ndata: {{"
    )


def test_a_compacted_log_says_so_and_has_all_of_its_text(operator, project):
    run = make_run(make_thread(project), RunStatus.COMPLETED)
    make_events(run, ("thread.run.created", run_object(run)))
    for word in ("one ", "two ", "three"):
        first = word == "one "
        make_events(run, ("thread.message.delta", text_delta("msg_1", 0, word, first=first)))
    make_events(run, ("thread.run.completed", run_object(run)))
    assert "was compacted" not in says(operator.get(url(run, "events/")))
    compact_run(run)
    page = operator.get(url(run, "events/"))
    assert "was compacted at" in says(page)
    assert "one two three" in says(page)
    assert numbers(page) == [1, 4, 5]


@pytest.mark.parametrize(
    "query", ["after=x", "after=-1", "after=%00", "name=nothing", "after=" + "9" * 19]
)
def test_what_is_no_event_is_an_error(operator, run, query):
    assert operator.get(url(run, f"events/?{query}")).status_code == 404


def test_a_run_without_events_says_so(operator, project):
    run = make_run(make_thread(project))
    assert "No events." in says(operator.get(url(run, "events/")))


def test_the_tab_leads_there(operator, run):
    assert operator.get(url(run, "?view=events"))["location"] == url(run, "events/")


def test_pages_take_a_fixed_number_of_queries(operator, run, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        operator.get(url(run, "events/"))


def test_the_json_view_is_the_objects_of_the_api(operator, run):
    step = make_step(run)
    said = says(operator.get(url(run, "?view=json")))
    for key in (run.id, step.id, step.message_id, '"object": "thread.run.step"'):
        assert key in said


def test_the_log_of_another_project_is_not_there(operator):
    run = make_run(make_thread(make_project()))
    for tail in ("events/", "export.json", "steps/1/", "steps/1/message/", "?view=json"):
        assert operator.get(url(run, tail)).status_code == 404
