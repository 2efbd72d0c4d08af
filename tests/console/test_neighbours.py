"""From a list to a run, along the list from run to run, and back to the row."""

import re
from urllib.parse import quote

import pytest

from runs.console.neighbours import neighbours_of
from runs.console.paging import ROWS
from runs.contract.status import RunStatus
from runs.models import Run
from tests.console.pages import says, url
from tests.factories import make_project, make_run, make_step, make_thread


def done(project, status=RunStatus.COMPLETED, **columns):
    return make_run(make_thread(project), status, **columns)


def at(run, query):
    return f"{url(run)}?list={quote(query, safe='')}"


def test_the_list_leads_to_its_runs_and_they_lead_on(operator, project):
    """Only failed runs are walked, whatever lies between them."""
    runs = [done(project, "failed" if n % 2 else "completed") for n in range(6)]
    page = operator.get("/console/runs/?status=failed").content.decode()
    links = re.findall(r'<a href="([^"]*\?list=[^"]*)" title', page)
    assert links == [at(run, "status=failed") for run in (runs[5], runs[3], runs[1])]
    middle = operator.get(links[1])
    assert "2 of 3" in says(middle)
    content = middle.content.decode()
    assert f'href="{links[0]}" rel="prev"' in content
    assert f'href="{links[2]}" rel="next"' in content
    assert f'href="/console/runs/?status=failed#{runs[3].id}"' in content
    assert 'rel="prev"' not in operator.get(links[0]).content.decode()
    assert 'rel="next"' not in operator.get(links[2]).content.decode()


def test_the_oldest_may_come_first(project):
    first, second, third = (done(project) for _ in range(3))
    beside = neighbours_of(project, second, "sort=oldest")
    assert first.id in beside.above
    assert third.id in beside.below


def test_a_search_is_walked_as_well(operator, project):
    runs = [done(project, metadata={"n": "odd" if n % 2 else "even"}) for n in range(5)]
    beside = neighbours_of(project, runs[2], "q=even")
    assert (beside.position, beside.total) == (2, 3)
    assert runs[4].id in beside.above
    assert runs[0].id in beside.below
    assert neighbours_of(project, runs[1], "q=even").position == 0
    assert operator.get(at(runs[2], "q=even")).status_code == 200


def test_the_way_back_is_to_the_page_that_the_row_is_on(operator, project):
    runs = [done(project) for _ in range(ROWS + 3)][::-1]
    for index, run in ((0, runs[0]), (ROWS - 1, runs[ROWS - 1]), (ROWS + 1, runs[ROWS + 1])):
        beside = neighbours_of(project, run, "")
        assert beside.position == index + 1
        page = operator.get(beside.back)
        assert f'<tr id="{run.id}"' in page.content.decode()


def test_a_run_that_left_the_list_still_has_neighbours(project):
    runs = [done(project, "failed") for _ in range(3)]
    Run.objects.filter(id=runs[1].id).update(status=RunStatus.EXPIRED)
    beside = neighbours_of(project, runs[1], "status=failed")
    assert (beside.position, beside.total) == (0, 2)
    assert runs[2].id in beside.above
    assert runs[0].id in beside.below


@pytest.mark.parametrize("query", [None, "state=x", "status=nonsense", "q=%00"])
def test_without_a_list_there_are_none(operator, project, query):
    run = done(project)
    assert neighbours_of(project, run, query) is None
    page = operator.get(url(run) if query is None else at(run, query))
    assert page.status_code == 200
    assert '<a href="/console/runs/"' in page.content.decode()


@pytest.mark.parametrize("query", ["", "status=completed"])
def test_all_views_of_a_run_hand_its_list_on(operator, project, query):
    run = done(project)
    make_step(run)
    step = make_step(run)
    kept = f"list={quote(query, safe='')}"
    page = operator.get(at(run, query)).content.decode()
    for link in (f"?view=compact&amp;{kept}", f"{url(run, 'events/')}?{kept}",
                 f"?view=json&amp;{kept}", f"{url(run, f'steps/{step.id}/')}?{kept}"):  # fmt: skip
        assert f'{link}"' in page
    assert f'name="list" value="{query}"' in page
    assert operator.get(at(run, query) + "&view=events").url == url(run, f"events/?{kept}")
    for view in (url(run, f"events/?{kept}"), f"{at(run, query)}&view=json"):
        assert f'<a href="{at(run, query)}">Run</a>' in operator.get(view).content.decode()
    page = operator.get(url(run, f"steps/{step.id}/?{kept}")).content.decode()
    assert f'href="{url(run)}?step={step.id}&amp;{kept}#{step.id}"' in page
    assert re.search(rf'rel="prev" href="[^"]*/steps/\w+/\?{re.escape(kept)}"', page)


def test_runs_of_another_project_are_no_neighbours(project):
    run = done(project)
    done(make_project())
    beside = neighbours_of(project, run, "")
    assert (beside.position, beside.total, beside.above, beside.below) == (1, 1, "", "")


def test_the_mini_bar_adds_up(operator, project):
    done(project, started_at=None)
    page = operator.get("/console/runs/")
    (row,) = page.context["rows"]
    assert sum(bar.part.percent for bar in row.bars) == 100
    assert row.split in page.content.decode()
