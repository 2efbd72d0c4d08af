"""A run as a file: the API's objects, its events, and a page without scripts or requests."""

import json
import re
from datetime import timedelta

import pytest

from runs.contract.status import RunStatus
from runs.wire.objects import run_object, step_object
from tests.console.pages import says, text_of, url
from tests.factories import make_call, make_events, make_message, make_run, make_step, make_thread

HOSTILE = "</pre><script>alert(1)</script>\u202e"


@pytest.fixture
def run(project):
    run = make_run(make_thread(project), RunStatus.COMPLETED, model=HOSTILE, metadata={"a": "é"})
    make_message(run.thread, "How is Oslo?", created_at=run.created_at - timedelta(seconds=1))
    make_call(make_step(run, "tool_calls"), name="look", arguments=HOSTILE, output=HOSTILE)
    make_step(run)
    make_events(
        run, ("thread.run.created", run_object(run)), ("thread.run.queued", run_object(run))
    )
    return run


def test_json_round_trips(operator, run):
    response = operator.get(url(run, "export.json"))
    assert response["content-disposition"] == f'attachment; filename="{run.id}.json"'
    found = json.loads(response.content)
    steps = run.steps.order_by("number").prefetch_related("tool_calls")
    assert found["run"] == run_object(run)
    assert found["steps"] == [step_object(step, run) for step in steps]
    assert [message["run_id"] for message in found["messages"]] == [run.id]


def test_ndjson_is_the_log(operator, run):
    lines = operator.get(url(run, "export.ndjson")).content.decode().splitlines()
    found = [json.loads(line) for line in lines]
    assert [(event["id"], event["event"]) for event in found] == [
        (1, "thread.run.created"),
        (2, "thread.run.queued"),
    ]
    assert found[0]["data"]["id"] == run.id


def test_html_stands_alone(operator, run):
    page = operator.get(url(run, "export.html")).content.decode()
    addresses = re.findall(r'(?:href|src)="([^"]{0,20})', page)
    assert addresses == ["data:text/css;base64"]
    assert "<script" not in page
    assert " style=" not in page
    said = text_of(page)
    for words in ("How is Oslo?", "look", "Hi!", "</pre><script>alert(1)</script>", "Model wait"):
        assert words in said


def test_an_unknown_form_is_an_error(operator, run):
    response = operator.get(url(run, "export.pdf"))
    assert response.status_code == 404
    assert "exported as json, ndjson, html" in says(response)


def test_exports_take_a_fixed_number_of_queries(operator, run, django_assert_max_num_queries):
    for _ in range(10):
        make_call(make_step(run, "tool_calls"))
    for form in ("json", "html"):
        with django_assert_max_num_queries(16):
            operator.get(url(run, f"export.{form}"))
