"""The list of runs in a browser: what moves and what must not, selecting, and walking along it."""

import re
import time

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import DEMO, TOOLS, expect_status, start

LIST = "/console/runs/"


@pytest.fixture(autouse=True)
def fresh(api: httpx.Client, live) -> None:
    """The list begins empty: each test has its own runs."""
    for thread in api.get("/threads", params={"limit": 100}).raise_for_status().json()["data"]:
        api.delete(f"/threads/{thread['id']}").raise_for_status()


def id_of(path: str) -> str:
    """The id of a run by its page."""
    return path.rstrip("/").rpartition("/")[2]


def answered(page: Page, *paths: str) -> None:
    """Wait until runs have ended."""
    for path in paths:
        page.goto(path)
        expect_status(page, "Completed")


def row(page: Page, path: str):
    """The row of a run."""
    return page.locator(f"#{id_of(path)}")


def test_rows_change_in_place_and_new_ones_wait(page: Page, api):
    first = start(api, model="text-150x50")
    page.goto(LIST)
    expect(row(page, first).locator(".badge")).to_have_text("Running")
    link = row(page, first).get_by_role("link").first
    link.focus()
    before = row(page, first).bounding_box()
    start(api, model=DEMO)
    start(api, model=DEMO)
    expect(page.get_by_role("link", name="2 new runs — show")).to_be_visible()
    expect(row(page, first).locator(".badge")).to_have_text("Completed", timeout=30_000)
    expect(page.locator("#facets [data-status=completed] b")).to_have_text("3")
    expect(page.locator("#facets > a").first).to_have_text(re.compile(r"All\s+3"))
    assert row(page, first).bounding_box() == before
    expect(link).to_be_focused()
    page.get_by_role("link", name="2 new runs — show").click()
    expect(page.locator("tr[data-row]")).to_have_count(3)


def test_a_paused_list_stays_as_it_is(page: Page, api):
    start(api, model=DEMO)
    page.goto(LIST)
    asked = []
    page.on("request", lambda request: asked.append("/live/" in request.url))
    page.get_by_role("button", name="Live").click()
    page.wait_for_timeout(3500)  # longer than the list waits before it asks again
    assert True not in asked
    with page.expect_request("**/runs/live/**"):
        page.get_by_role("button", name="Live").click()


def test_filters_make_a_link_that_shows_the_same(page: Page, new_context, api, live):
    wanted = start(api, model=DEMO, text="Where is the needle?", metadata={"team": "ops"})
    start(api, model=DEMO, text="Something else")
    page.goto(LIST)
    page.get_by_label("Time").select_option("-1h")
    page.wait_for_url("**/runs/?from=-1h")
    page.get_by_text("More filters").click()
    page.get_by_label("Metadata").fill("team:ops")
    page.get_by_role("searchbox", name="Search", exact=True).fill("NEEDLE")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**q=NEEDLE**")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    expect(row(page, wanted)).to_be_visible()
    other = new_context(base_url=live.url).new_page()
    other.goto(page.url)
    expect(other.locator("tr[data-row]")).to_have_count(1)
    page.get_by_role("link", name="Remove metadata team:ops").click()
    expect(page.locator(".chips li", has_text="text")).to_be_visible()
    expect(page.locator(".chips li", has_text="metadata")).to_have_count(0)
    page.go_back()
    expect(page.locator(".chips li", has_text="metadata")).to_be_visible()
    page.get_by_role("searchbox", name="Search", exact=True).fill("nowhere")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No runs match")).to_be_visible()
    expect(page.get_by_role("link", name="Without text “nowhere”")).to_be_visible()


def test_a_pasted_id_jumps(page: Page, api):
    path = start(api, model=DEMO)
    page.goto(LIST)
    page.get_by_role("searchbox", name="Search", exact=True).fill(id_of(path))
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(f"**{path}")


def test_along_the_list_and_back_to_the_row(page: Page, api):
    paths = [start(api, model=DEMO) for _ in range(3)]
    answered(page, *paths)
    page.goto(f"{LIST}?status=completed")
    row(page, paths[1]).get_by_role("link").first.click()
    expect(page.get_by_text("2 of 3")).to_be_visible()
    page.get_by_role("link", name="Next run").click()
    page.wait_for_url(re.compile(re.escape(paths[0])))
    expect(page.get_by_text("3 of 3")).to_be_visible()
    page.get_by_role("link", name="Previous run").click()
    page.wait_for_url(re.compile(re.escape(paths[1])))
    page.locator(".neighbours").get_by_role("link", name="Runs").click()
    page.wait_for_url(f"**{LIST}?status=completed#{id_of(paths[1])}")
    expect(row(page, paths[1]).get_by_role("link").first).to_be_focused()


def test_selected_runs_are_cancelled(page: Page, api):
    paths = [start(api, model=DEMO, tools=TOOLS) for _ in range(4)]
    for path in paths:
        page.goto(path)
        expect_status(page, "Needs input")
    page.goto(LIST)
    expect(page.get_by_role("button", name="Cancel…")).to_be_hidden()
    boxes = page.locator(".runs input[name=run]")
    boxes.nth(0).check()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_have_text("3 selected")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel 3 runs").click()
    expect(page.get_by_text("Cancelled 3 runs.")).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator("tr[data-status=cancelled]")).to_have_count(3)
    page.get_by_label("All 4 matching").check()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete 4 threads and 4 runs").click()
    expect(page.get_by_text("Deleted 4 threads.")).to_be_visible()


def test_the_list_is_downloaded(page: Page, api):
    path = start(api, model=DEMO)
    answered(page, path)
    page.goto(LIST)
    page.get_by_label("Select all rows of this page").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export NDJSON").click()
    assert id_of(path) in download.value.path().read_text()


def test_without_script_all_of_it_works(new_context, api, live):
    page = new_context(base_url=live.url, java_script_enabled=False).new_page()
    path = start(api, model=DEMO, tools=TOOLS)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        page.goto(f"{LIST}?status=requires_action")
        if page.locator("tr[data-row]").count():
            break
    page.get_by_label(re.compile("^Select run_")).check()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel 1 run").click()
    expect(page.get_by_text("Cancelled 1 run.")).to_be_visible()
    page.goto(LIST)
    page.get_by_label("Time").select_option("-1h")
    page.get_by_role("button", name="Filter").click()
    assert page.url.endswith(f"{LIST}?from=-1h")
    expect(row(page, path)).to_be_visible()


def test_a_view_is_saved_by_its_name(page: Page, api):
    start(api, model=DEMO)
    page.goto(f"{LIST}?status=failed")
    page.get_by_text("Save view").click()
    page.get_by_label("Name of a new view").fill("Failures")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Show all runs").click()
    page.get_by_role("link", name="Failures").click()
    page.wait_for_url("**/runs/?status=failed")
