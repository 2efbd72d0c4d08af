"""What narrows the list of runs: in the address, in words, and never passed over."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.console.filters import BadFilter, chips, matching, moment, read
from runs.contract.status import RunStatus
from runs.models import Run
from tests.console.pages import says
from tests.factories import make_assistant, make_project, make_run, make_step, make_thread

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def ids(client, query=""):
    """The runs on a page of the list."""
    page = client.get(f"/console/runs/?{query}")
    assert page.status_code == 200, says(page)
    return listed(page)


def listed(page):
    """The ids of the rows of a page, in order."""
    return [row.run.id for row in page.context.get("rows", ())]


def done(project, **columns):
    return make_run(make_thread(project), RunStatus.COMPLETED, **columns)


# --- one at a time ---


def test_each_filter_leaves_out_what_it_says(operator, project):
    helper = make_assistant(project)
    wanted = done(project, assistant=helper, model="m/2", metadata={"team": "a:b", "0": "x"})
    other = done(project)
    for query in (
        f"assistant={helper.id}", "model=m/2", f"thread={wanted.thread_id}",
        "metadata=team:a:b", "metadata=0:x", "metadata=team:a:b&metadata=0:x",
    ):  # fmt: skip
        assert ids(operator, query) == [wanted.id], query
    assert ids(operator, "metadata=team:a") == []
    assert ids(operator, "sort=oldest") == [wanted.id, other.id]
    assert ids(operator) == [other.id, wanted.id]


def test_statuses_are_counted_and_filtered(operator, project):
    finished, failed = done(project), make_run(make_thread(project), RunStatus.FAILED)
    page = operator.get("/console/runs/?status=failed")
    assert listed(page) == [failed.id]
    for words in ("All 2", "Failed 1", "Completed 1", "Needs input 0"):
        assert words in says(page)
    assert ids(operator, "status=failed,completed") == [failed.id, finished.id]


def test_counts_are_of_what_the_other_filters_let_pass(operator, project):
    done(project, model="m/1")
    make_run(make_thread(project), RunStatus.FAILED, model="m/2")
    said = says(operator.get("/console/runs/?model=m/1&status=failed"))
    assert "All 1" in said
    assert "Completed 1" in said
    assert "Failed 0" in said


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("-15m", NOON - timedelta(minutes=15)),
        ("-24h", NOON - timedelta(days=1)),
        ("-30d", NOON - timedelta(days=30)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:30", datetime(2026, 11, 1, 10, 30, tzinfo=UTC)),
        ("2026-11-01T10:30:00+02:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_times_are_relative_or_not(given, at):
    assert moment(given, NOON, "from") == at


def test_a_window_is_of_creation_or_of_end(operator, project):
    now = timezone.now()
    long_ago = done(project, created_at=now - timedelta(days=3), completed_at=now)
    recent = make_run(make_thread(project), created_at=now - timedelta(minutes=5))
    assert ids(operator, "from=-1h") == [recent.id]
    assert ids(operator, "from=-1h&by=ended") == [long_ago.id]
    assert ids(operator, "to=-1d") == [long_ago.id]
    assert ids(operator, f"from={(now - timedelta(days=4)):%Y-%m-%d}&to=-2d") == [long_ago.id]


# --- what is not understood ---


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=failed", "There is no filter “state”."),
        ("status=nonsense", "There is no status “nonsense”."),
        ("status=failed,", "There is no status “”."),
        ("from=yesterday", "not “yesterday”"),
        ("from=2026-13-45", "not “2026-13-45”"),
        ("to=-0h", "not “-0h”"),
        ("from=0001-01-01T00:00%2B14:00", "not “0001-01-01T00:00+14:00”"),
        ("to=9999-12-31T23:59-12:00", "not “9999-12-31T23:59-12:00”"),
        ("from=-1h&to=-2h", "“from” is later than “to”."),
        ("by=started", "“by” is created or ended, not “started”."),
        ("sort=random", "“sort” is newest or oldest"),
        ("metadata=team", "“metadata” is key:value, not “team”."),
        ("metadata=a:1&metadata=a:2", "two values"),
        ("&".join(f"metadata=k{i}:v" for i in range(17)), "more than 16 pairs"),
        ("model=a&model=b", "“model” is given twice."),
        ("q=%00", "“q” holds a NUL character"),
        ("model=a%00", "“model” holds a NUL character"),
        (f"q={'x' * 601}", "“q” is longer than 600 characters."),
    ],
)
def test_what_is_not_understood_is_told(operator, project, query, words):
    done(project)
    page = operator.get(f"/console/runs/?{query}")
    assert page.status_code == 400
    assert words in says(page)
    assert listed(page) == []


def test_all_problems_are_told_at_once():
    with pytest.raises(BadFilter) as bad:
        read(QueryDict("a=1&status=b&by=c"))
    assert len(bad.value.problems) == 3


def test_a_hostile_name_is_shown_as_text(operator, db):
    page = operator.get(f"/console/runs/?{quote('<script>‮')}=1").content.decode()
    assert "&lt;script&gt;\\u202e" in page


# --- the address ---


def test_the_same_filters_have_one_address():
    address = "status=queued%2Cfailed&q=a+b&from=-1h&by=ended&metadata=a%3A1&metadata=b%3A2"
    assert read(QueryDict(address)).query == address
    mixed = (
        "metadata=b:2&sort=newest&by=ended&from=&from=-1h&q= a b &status=failed,queued&metadata=a:1"
    )
    assert read(QueryDict(mixed)).query == address


def test_what_the_form_leaves_empty_is_not_in_the_address(operator, project):
    answer = operator.get("/console/runs/?status=&q=&from=-1h&from=&by=created&model=")
    assert answer["location"] == "/console/runs/?from=-1h"
    assert operator.get("/console/runs/?q=&from=")["location"] == "/console/runs/"


def test_each_filter_can_be_dropped():
    filters = read(QueryDict("status=failed&model=m&from=-1h&metadata=a:1&metadata=b:2&by=ended"))
    assert [(chip.label, chip.value) for chip in chips(filters)] == [
        ("status", "Failed"), ("model", "m"), ("ended from", "Last hour"),
        ("metadata", "a:1"), ("metadata", "b:2"),
    ]  # fmt: skip
    for chip in chips(filters):
        assert len(list(chips(read(QueryDict(chip.without))))) == 4


def test_an_empty_list_names_its_filters(operator, project):
    done(project)
    page = operator.get("/console/runs/?status=requires_action&model=m")
    said = says(page)
    assert "narrowed to runs with status “Needs input” and model “m”" in said
    assert '<a href="/console/runs/?model=m">Without status' in page.content.decode()
    assert '<a href="/console/runs/?status=requires_action">Without model' in page.content.decode()


# --- bounds ---


@pytest.mark.parametrize("query", ["", "metadata=a:1&from=-1h&by=ended&status=completed", "q=hi"])
def test_the_list_takes_few_queries(operator, project, query):
    for _ in range(20):
        make_step(done(project, metadata={"a": "1"}), "tool_calls", calls=["get_weather"])
    with CaptureQueriesContext(connection) as taken:
        assert operator.get(f"/console/runs/?{query}").status_code == 200
    own = [found["sql"] for found in taken if "SAVEPOINT" not in found["sql"]]  # the tests' own
    assert len(own) <= (14 if "q=" in query else 10), own


@pytest.mark.parametrize("query", ["model=m", "from=-1h&by=ended", "from=-1h"])
def test_filters_use_an_index(project, query):
    """Of many runs, few are read: the plan names an index that the filter's column is in."""
    Run.objects.bulk_create(
        Run(
            project=project, thread=make_thread(project), assistant_id="asst_x", model=f"m{i}",
            status=RunStatus.COMPLETED, expires_at=NOON, created_at=NOON, completed_at=NOON,
        )
        for i in range(300)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE runs_run")
    plan = matching(Run.objects.for_project(project), read(QueryDict(query))).order_by().explain()
    index = {"model=m": "run_of_model", "from=-1h": "run_of_day"}.get(query, "run_by_end")
    assert index in plan


def test_nothing_of_another_project_is_listed_or_counted(operator, project):
    foreign = make_run(make_thread(make_project()), RunStatus.FAILED)
    done(project)
    page = operator.get(f"/console/runs/?thread={foreign.thread_id}")
    assert listed(page) == []
    assert "Failed 0" in says(page)


# --- kept current ---


def test_what_changed_is_answered(operator, project):
    run = make_run(make_thread(project), RunStatus.IN_PROGRESS)
    page = operator.get("/console/runs/")
    address = page.context["live"]
    assert f"rows={run.id}" in address
    Run.objects.filter(id=run.id).update(status=RunStatus.COMPLETED, completed_at=timezone.now())
    done(project)
    answer = operator.get(address)
    said = says(answer)
    assert "1 new run — show" in said
    assert "Completed" in said
    assert f'<tr id="{run.id}" data-status="completed"' in answer.content.decode()


def test_a_search_is_not_made_again_to_keep_a_list_current(operator, project):
    run = make_run(make_thread(project), RunStatus.IN_PROGRESS, metadata={"a": "needle"})
    address = operator.get("/console/runs/?q=needle").context["live"]
    Run.objects.filter(id=run.id).update(status=RunStatus.COMPLETED, completed_at=timezone.now())
    done(project, metadata={"a": "needle"})
    with CaptureQueriesContext(connection) as taken:
        answer = operator.get(address).content.decode()
    assert f'<tr id="{run.id}" data-status="completed"' in answer
    assert "new run" not in says(operator.get(address))
    assert 'id="facets"' not in answer
    assert not any("arguments" in query["sql"] for query in taken)  # no text was read


def test_nothing_of_another_project_is_answered(operator, project):
    foreign = make_run(make_thread(make_project()))
    done(project)
    answer = operator.get(f"/console/runs/live/?rows={foreign.id},%00&top={foreign.id}")
    assert answer.status_code == 200
    assert foreign.id not in answer.content.decode()
    assert operator.get("/console/runs/live/?rows=&top=&state=1").status_code == 400
