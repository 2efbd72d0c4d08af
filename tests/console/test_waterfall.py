"""Steps on the time axis: what names them, when nothing but waiting went on, and long lists."""

import gzip
import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from runs.console.pages import Seat
from runs.console.render import frames, view_of
from runs.console.run_query import PAGE
from runs.console.timeline import CallView
from runs.console.waterfall import idle_gaps
from runs.contract.roles import Role
from runs.contract.status import RunStatus, StepStatus
from runs.models import RunStep, ToolCall
from runs.wire.objects import run_object
from tests.console.pages import partials, says, url
from tests.factories import (
    make_call,
    make_events,
    make_message,
    make_run,
    make_step,
    make_thread,
    text_part,
)

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def run(project):
    """Two turns: 2 s in line, a call that waited for 10 s, and its answer."""
    run = make_run(
        make_thread(project), "completed", created_at=START, started_at=at(2), completed_at=at(20)
    )
    step = make_step(run, "tool_calls", asked_at=at(2), created_at=at(3), called_at=at(4),
                     completed_at=at(14))  # fmt: skip
    make_call(step, name="get_weather", output="mild", submitted_at=at(14))
    make_step(run, asked_at=at(14.2), created_at=at(15), completed_at=at(20))
    return run


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"city": "Oslo", "days": 3}', '"Oslo"'),
        ('{"list": [], "n": -1.5}', "-1.5"),
        ('{"where": {"city": "Oslo"}}', '"Oslo"'),
        ('{"city": "Os', '"Os'),
        ('{"city": "a\\nb\u202e"}', '"a\\nb\\u202e"'),
        ('{"long": "' + "x" * 99 + '"}', '"' + "x" * 39 + "…"),
        ("{}", ""),
        ("not json", ""),
    ],
)
def test_a_call_is_named_by_its_first_argument(arguments, shown):
    assert CallView("f", arguments).argument == shown


def test_a_line_names_what_was_called(operator, run):
    assert 'get_weather "Oslo" Completed' in says(operator.get(url(run)))


def test_idle_is_when_the_model_had_nothing_to_do(project, run):
    view = view_of(project, run, Role.READER)
    assert idle_gaps(view) == [(0, 2000), (4000, 14200)]


@pytest.mark.parametrize(
    ("status", "gaps"), [("queued", [(0, None)]), ("in_progress", [(0, 2000)])]
)
def test_idle_time_may_still_go_on(project, status, gaps):
    run = make_run(make_thread(project), status, created_at=START, started_at=None)
    run.started_at = at(2) if status == "in_progress" else None
    assert idle_gaps(view_of(project, run, Role.READER)) == gaps


def test_a_run_that_waits_for_outputs_is_idle(project):
    run = make_run(make_thread(project), "requires_action", created_at=START, started_at=START)
    run.steps.update(created_at=at(1), asked_at=START, called_at=at(2))
    assert idle_gaps(view_of(project, run, Role.READER)) == [(2000, None)]


def test_a_line_holds_its_times_for_the_script(operator, run):
    page = operator.get(url(run)).content.decode()
    assert 'data-s="3000" data-a="2000" data-e="14000"' in page
    assert 'data-folds="[[0, 2000], [4000, 14200]]"' in page
    assert 'data-folds="[]"' in operator.get(url(run, "?idle=1")).content.decode()
    assert "0 s is 12:00:00 UTC" in says(operator.get(url(run)))


@pytest.mark.parametrize(
    "query", ["view=x", "range=5", "range=9-5", "page=x", "idle=yes", "errors=2", "range=1-%00"]
)
def test_what_a_page_does_not_have_is_an_error(operator, run, query):
    assert operator.get(url(run, f"?{query}")).status_code == 404


# --- long lists ---


def many(run, count: int, failed: set[int] = frozenset()) -> list[RunStep]:
    """That many tool steps, each of one call with an output of its own."""
    rows = [
        RunStep(
            run=run, turn=i + 1, index=0, type="tool_calls",
            status=StepStatus.FAILED if i in failed else StepStatus.COMPLETED,
            created_at=at(i), completed_at=None if i in failed else at(i + 0.5 + i % 7 / 13),
            failed_at=at(i + 0.7) if i in failed else None,
        )
        for i in range(count)
    ]  # fmt: skip
    RunStep.objects.bulk_create(rows)
    ToolCall.objects.bulk_create(
        ToolCall(
            id=f"call_{i}", run=run, step_id=row.id, index=0, name="look_up",
            arguments=json.dumps({"n": i}), output=f"<output {i}>" * 50, submitted_at=at(i),
        )
        for i, row in enumerate(rows)
    )  # fmt: skip
    return rows


@pytest.fixture
def long_run(project):
    return make_run(
        make_thread(project), "completed", created_at=START, started_at=START, completed_at=at(9000)
    )


def shown(response, rows) -> list[int]:
    """The places of the steps that are listed, from 0."""
    ids = [row.id for row in rows]
    found = re.findall(r'<li id="(?:s(\d+)|(step_\w+))" class="step', response.content.decode())
    return [int(place) - 1 if place else ids.index(key) for place, key in found]


def test_500_steps_are_a_small_page(operator, long_run, django_assert_max_num_queries):
    rows = many(long_run, 500)
    with django_assert_max_num_queries(20):
        page = operator.get(url(long_run))
    assert shown(page, rows) == list(range(500))
    assert len(gzip.compress(page.content)) <= 20 * 1024
    assert b"output 3&gt;" not in page.content  # fetched when the step is opened
    assert f'href="{url(long_run, "steps/4/")}"' in page.content.decode()
    body = operator.get(url(long_run, "steps/4/"), headers={"HX-Request": "true"})
    assert "<output 3>" in says(body)
    assert "Sign out" not in says(body)


def work_of(operator, run):
    """The least work of three looks at a run's page (seconds of the processor)."""
    took = []
    for _ in range(3):
        before = time.process_time()  # not the clock on the wall: the machine may be busy
        operator.get(url(run))
        took.append(time.process_time() - before)
    return min(took)


def test_the_work_of_a_page_grows_no_faster_than_its_steps(operator, long_run):
    many(long_run, 50)
    operator.get(url(long_run))  # compiles the templates
    few = work_of(operator, long_run)
    long_run.steps.all().delete()
    many(long_run, 500)
    assert work_of(operator, long_run) < 15 * few


@pytest.mark.slow
def test_a_long_list_has_pages(operator, long_run):
    rows = many(long_run, 2 * PAGE + 3)
    assert shown(operator.get(url(long_run)), rows) == list(range(PAGE))
    last = operator.get(url(long_run, "?page=3"))
    assert shown(last, rows) == list(range(2 * PAGE, 2 * PAGE + 3))
    assert "Steps 1 001 to 1 003 of 1 003" in says(last).replace("\u202f", " ")
    opened = operator.get(url(long_run, f"?step={rows[PAGE].id}"))
    assert shown(opened, rows) == list(range(PAGE, 2 * PAGE))
    assert f"<output {PAGE}>" in says(opened)


def test_new_steps_are_put_only_where_the_list_ends(operator, project, long_run):
    many(long_run, PAGE + 1)
    assert 'id="steps"' not in operator.get(url(long_run)).content.decode()
    assert 'id="steps"' in operator.get(url(long_run, "?page=2")).content.decode()
    long_run.status = RunStatus.IN_PROGRESS
    long_run.save()
    assert len(view_of(project, long_run, Role.READER).shown) == 1


def test_a_page_that_was_live_still_shows_the_end_once_the_run_has_ended(project, long_run):
    rows = many(long_run, PAGE + 1)
    events = make_events(long_run, ("thread.run.completed", run_object(long_run)))
    (frame,) = frames(Seat(project, Role.READER), long_run.id, 0, events)
    (steps,) = (inner for target, _, inner in partials(frame.text()) if target == "#steps")
    assert [row.id for row in rows if row.id in steps] == [rows[-1].id]


@pytest.mark.slow
def test_finding_works_over_pages(operator, long_run):
    rows = many(long_run, PAGE + 20)
    thread_message = make_message(
        long_run.thread, role="assistant", run=long_run, content=[text_part("OUTPUT 510> É")]
    )
    said = make_step(long_run, message_id=thread_message.id, turn=9999)
    page = operator.get(url(long_run, "?find=output+510>"))
    assert "2 steps" in says(page)
    following = f"?step={rows[510].id}&find=output+510%3E"
    assert (
        f"{url(long_run)}{following}#{rows[510].id}".replace("&", "&amp;") in page.content.decode()
    )
    there = operator.get(url(long_run, following))
    assert "1 of 2" in says(there)
    assert f'<li id="{rows[510].id}" class="step chosen">' in there.content.decode()
    assert f"#{said.id}" in there.content.decode()
    assert "No step holds this." in says(operator.get(url(long_run, "?find=nowhere%00")))
    assert "1 step " in says(operator.get(url(long_run, "?find=é")))


def test_errors_are_a_click_away(operator, long_run):
    rows = many(long_run, 60, failed={7, 40})
    page = operator.get(url(long_run))
    assert "Errors only (2)" in says(page)
    assert f"?step={rows[7].id}#{rows[7].id}" in page.content.decode()
    assert f"#{rows[40].id}" in operator.get(url(long_run, f"?step={rows[7].id}")).content.decode()
    assert shown(operator.get(url(long_run, "?errors=1")), rows) == [7, 40]
    assert "Errors only" not in says(operator.get(url(make_run(long_run.thread, "completed"))))
