"""Usage: the figures are those of the runs, by day and by group, on the page and as a file."""

import csv
import random
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from runs import operations
from runs.console.usage import GROUPS, Report, percentile
from runs.contract.status import TERMINAL, RunStatus
from runs.lifecycle.usage import note_usage
from runs.models import Run, UsageEntry
from tests.console.pages import says
from tests.factories import make_assistant, make_key, make_project, make_run, make_thread

NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
MODELS = ("gpt-4o", "gpt-4o-mini", "o3", "<b>llama</b>", "demo", "x", "y")


def usage_of(prompt: int, cached: int, completion: int) -> dict:
    return {
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion, "prompt_token_details": {"cached_tokens": cached},
    }  # fmt: skip


def ended_run(
    project, at: datetime = NOON, status: str = "completed", seconds=2.0, **columns
) -> Run:
    """A run that ended, as the operations leave one."""
    columns = {"usage": usage_of(10, 4, 5)} | columns
    run = make_run(make_thread(project), status, created_at=at, **columns)
    for stamp in ("completed_at", "failed_at", "cancelled_at", "expired_at"):
        if getattr(run, stamp):
            setattr(run, stamp, at + timedelta(seconds=seconds))
    note_usage(run)
    return run


@pytest.fixture
def runs(project) -> list[Run]:
    """Runs of 40 days, of all endings, models, assistants and keys."""
    dice = random.Random(7)  # noqa: S311  the same runs each time
    assistants = [make_assistant(project, name=f"A{n}") for n in range(3)]
    keys = [make_key(project)[0].id, make_key(project)[0].id, None]
    made = []
    for _ in range(120):
        prompt = dice.randrange(5000)
        spent = usage_of(prompt, dice.randrange(prompt + 1), dice.randrange(900))
        made.append(
            ended_run(
                project,
                NOON - timedelta(days=dice.randrange(40), hours=dice.randrange(-11, 12)),
                dice.choice(sorted(TERMINAL)),
                dice.lognormvariate(1, 1),
                model=dice.choice(MODELS),
                assistant=dice.choice(assistants),
                key_id=dice.choice(keys),
                usage=dice.choice([spent, spent, spent, None]),
            )
        )
    ended_run(make_project(), model="foreign")
    return made


def naive(runs: list[Run], column: str, first) -> dict:
    """Sums by day, group and model, made one run after the other."""
    sums = defaultdict(lambda: [0, 0, 0, 0, 0])
    for run in runs:
        day = run.created_at.astimezone(UTC).date()
        if day < first:
            continue
        spent = run.usage or usage_of(0, 0, 0)
        figures = (
            1, run.status in ("failed", "expired"), spent["prompt_tokens"],
            spent["prompt_token_details"]["cached_tokens"], spent["completion_tokens"],
        )  # fmt: skip
        key = (day, getattr(run, column) or "", run.model)
        sums[key] = [a + b for a, b in zip(sums[key], figures, strict=True)]
    return dict(sums)


@pytest.mark.parametrize("by", GROUPS)
def test_the_figures_are_those_of_the_runs(project, runs, by):
    report = Report(project, by, 30, NOON.date())
    expected = naive(runs, GROUPS[by], report.first)
    assert {
        (c.day, c.group, c.model): [c.runs, c.failed, c.input, c.cached, c.output]
        for c in report.cells
    } == expected
    assert report.sum.total == sum(row[2] + row[4] for row in expected.values())
    assert sum(sum(tokens) for _, _, tokens in report.by_day) == report.sum.total
    assert sum(line.total for line in report.series) == report.sum.total
    completed = sorted(
        (run.completed_at - run.created_at).total_seconds()
        for run in runs
        if run.status == RunStatus.COMPLETED and run.created_at.date() >= report.first
    )
    assert report.sum.seconds == completed


@pytest.mark.parametrize(
    ("count", "share", "place"),
    [(1, 50, 1), (1, 95, 1), (2, 50, 1), (3, 50, 2), (20, 95, 19), (21, 95, 20), (100, 95, 95)],
)
def test_percentiles_are_of_the_nearest_rank(count, share, place):
    assert percentile([float(n) for n in range(1, count + 1)], share) == place
    assert percentile([], share) is None


def test_the_page_shows_groups_days_and_bars(operator, project, runs):
    page = operator.get("/console/usage/?by=model&from=-90d")
    words, markup = says(page), page.content.decode()
    total = sum(
        sum(row[2:5:2]) for row in naive(runs, "model", NOON.date() - timedelta(90)).values()
    )
    assert f"{total:,}".replace(",", " ") in words
    assert "<b>llama</b>" in words
    assert "<b>llama</b>" not in markup
    assert "2 others" in words
    assert "foreign" not in words
    days = {run.created_at.date() for run in runs if run.usage}
    assert markup.count("<title>20") == len(days)
    heights = defaultdict(float)
    for x, height in re.findall(
        r'<rect x="([\d.]+)%" y="[\d.]+%" width="[^"]*" height="([\d.]+)%', markup
    ):
        heights[x] += float(height)
    assert max(heights.values()) == pytest.approx(100, abs=0.1)
    assert "style=" not in markup.partition("<main")[2]


def test_the_file_has_the_same_figures(operator, project, runs):
    operations.add_prices(project, [price("gpt-4o", "1", "2")])
    answer = operator.get("/console/usage/?by=key&from=-30d&format=csv")
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    expected = naive(runs, "key_id", NOON.date() - timedelta(29))
    assert sum(int(row["input"]) for row in rows) == sum(row[2] for row in expected.values())
    assert len(rows) == len(expected)
    assert {bool(row["cost"]) for row in rows if row["model"] == "gpt-4o"} == {True}
    assert {row["cost"] for row in rows if row["model"] == "o3"} == {""}
    assert "No key: the console" in {row["group"] for row in rows}


def test_a_name_is_no_formula_in_a_file(operator, project):
    ended_run(project, model="=cmd()")
    assert "'=cmd()" in operator.get("/console/usage/?format=csv").content.decode()


def price(pattern, input, output, cached=None, valid_from=None):
    return {
        "pattern": pattern, "input": Decimal(input), "output": Decimal(output),
        "cached": None if cached is None else Decimal(cached), "currency": "USD",
        "valid_from": valid_from or NOON.date() - timedelta(days=300),
    }  # fmt: skip


def test_costs_are_shown_only_where_a_price_is_set(operator, project):
    ended_run(project, model="gpt-4o", usage=usage_of(2_000_000, 1_000_000, 500_000))
    ended_run(project, model="o3")
    words = says(operator.get("/console/usage/"))
    assert "No price set for model gpt-4o — set one ." in words
    assert "0.00" not in words
    operations.add_prices(project, [price("gpt-4o", "3", "10", cached="1")])
    words = says(operator.get("/console/usage/"))
    assert "Cost 9.00 USD" in words
    assert "9.00 USD in part" in words
    assert "No price set for model o3" in words
    assert "No price set for model gpt-4o" not in words


@pytest.mark.parametrize(
    "query", ["by=color", "by=", "from=30d", "from=-0d", "from=-999d", "from=-1e9d", "format=pdf",
              "by=model%00"],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(operator, query):
    assert operator.get(f"/console/usage/?{query}").status_code == 404


def test_nothing_has_ended_yet(operator, project):
    make_run(make_thread(project))
    assert "No run has ended in these 30 days" in says(operator.get("/console/usage/"))


def test_runs_without_tokens_have_no_chart(operator, project):
    ended_run(project, status="failed", usage=None)
    page = operator.get("/console/usage/")
    assert page.status_code == 200
    assert 'class="bars"' not in page.content.decode()


@pytest.mark.parametrize("by", GROUPS)
def test_the_page_takes_a_fixed_number_of_queries(
    operator, project, runs, by, django_assert_max_num_queries
):
    with django_assert_max_num_queries(13):
        assert operator.get(f"/console/usage/?by={by}").status_code == 200


def test_each_ending_is_noted_once_and_outlives_the_thread(project):
    run = operations.create_thread_and_run(
        project, {"assistant_id": make_assistant(project).id, "model": "m"}, make_key(project)[0]
    )
    operations.cancel_run(run)
    entry = UsageEntry.objects.get()
    assert (entry.run_id, entry.model, entry.status) == (run.id, "m", "cancelled")
    assert (entry.key_id, entry.day, entry.input_tokens) == (run.key_id, run.created_at.date(), 0)
    operations.delete_thread(run.thread)
    assert UsageEntry.objects.count() == 1
