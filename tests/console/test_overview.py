"""The overview and the inbox: what waits, runs and failed, and how busy the day was."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from runs.console.overview import last_day, tokens_today
from runs.contract.status import RunStatus
from runs.models import Run
from tests.console.pages import says
from tests.factories import make_call, make_project, make_run, make_thread


def test_an_empty_console_teaches_the_first_call(operator):
    said = says(operator.get("/console/"))
    assert "No runs yet" in said
    assert 'model="runsite/demo"' in said


def test_it_shows_what_waits_runs_and_failed(operator, project):
    found = {
        status: make_run(make_thread(project), status)
        for status in ("requires_action", "in_progress", "failed", "completed")
    }
    old = make_run(make_thread(project), "failed")
    Run.objects.filter(number=old.number).update(failed_at=timezone.now() - timedelta(days=2))
    page = operator.get("/console/").content.decode()
    for status in ("requires_action", "in_progress", "failed"):
        assert found[status].id in page
    for run in (found["completed"], old):
        assert run.id not in page


def test_it_shows_nothing_of_other_projects(operator, project):
    run = make_run(make_thread(make_project()), "requires_action")
    for path in ("/console/", "/console/inbox/"):
        assert run.id not in operator.get(path).content.decode()


@pytest.mark.parametrize(("path", "most"), [("/console/", 10), ("/console/inbox/", 12)])
def test_few_queries_however_many_runs(
    operator, project, django_assert_max_num_queries, path, most
):
    for status in ("requires_action", "in_progress", "failed"):
        for _ in range(6):
            make_run(make_thread(project), status)
    # Two are the savepoint that a save of the session has inside a test's transaction.
    with django_assert_max_num_queries(most + 2):
        operator.get(path)


def test_the_soonest_deadline_is_on_top(operator, project):
    at = timezone.now()
    later, sooner = (
        make_run(
            make_thread(project), "requires_action", expires_at=at + timedelta(minutes=minutes)
        )
        for minutes in (9, 3)
    )
    page = operator.get("/console/inbox/").content.decode()
    assert page.index(sooner.id) < page.index(later.id)
    assert "get_weather" in page


def test_a_call_that_is_answered_is_not_in_the_inbox(operator, project):
    run = make_run(make_thread(project), "requires_action")
    step = run.steps.get()
    make_call(step, name="answered_one", output="yes")
    said = says(operator.get("/console/inbox/"))
    assert "get_weather" in said
    assert "answered_one" not in said


def test_an_empty_inbox_says_so(operator):
    assert "Nothing is waiting for you" in says(operator.get("/console/inbox/"))


def test_the_badge_counts_what_waits(operator, project):
    assert 'id="inbox-count"' in operator.get("/console/").content.decode()
    for _ in range(2):
        make_run(make_thread(project), "requires_action")
    page = operator.get("/console/runs/").content.decode()
    assert 'data-socket="/console/ws/attention/">2</b>' in page


def runs_at(project, *times: datetime, status=RunStatus.COMPLETED) -> None:
    for at in times:
        run = make_run(make_thread(project), status)
        Run.objects.filter(number=run.number).update(created_at=at)


def test_the_hours_hold_each_run_once(project):
    now = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)
    inside = [now - timedelta(hours=hours) for hours in (0, 1, 5, 23)]
    runs_at(project, *inside, now - timedelta(hours=25))
    runs_at(project, now, status=RunStatus.FAILED)
    for zone in ("UTC", "Europe/Oslo", "Asia/Kathmandu", "America/New_York"):
        with timezone.override(ZoneInfo(zone)):
            day = last_day(project, now)
        assert (len(day.hours), day.total, day.totals["failed"]) == (24, 5, 1), zone
        assert day.hours[-1].total == 2
        assert max(piece.y + piece.height for piece in day.pieces) == pytest.approx(64)


def test_the_day_on_which_an_hour_comes_twice(project):
    now = datetime(2026, 10, 25, 3, 30, tzinfo=UTC)  # Oslo went back from 3 to 2 at 01:00 UTC
    runs_at(project, *(now - timedelta(hours=hours) for hours in range(6)))
    with timezone.override(ZoneInfo("Europe/Oslo")):
        day = last_day(project, now)
    assert [hour.total for hour in day.hours][-6:] == [1] * 6


def test_tokens_of_today_begin_at_midnight_of_the_zone(project):
    now = datetime(2026, 5, 2, 1, 0, tzinfo=UTC)  # still the first of May in New York
    runs_at(project, now - timedelta(minutes=30), now - timedelta(hours=3))
    assert tokens_today(project, now) == 15
    with timezone.override(ZoneInfo("America/New_York")):
        assert tokens_today(project, now) == 30
