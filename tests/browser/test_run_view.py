"""A run's page: its axis, its long lists and texts, its files, and how it is kept live."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import TOOLS, expect_status, final_text, start, wait_for
from tests.upstream_script import expected_text


@pytest.fixture(scope="module")
def long_run(live: Any) -> str:
    """The page of a run of 500 steps."""
    write = "from tests.browser import rows; rows.write_long()"
    done = live.manage("shell", "--no-imports", "-c", write)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def width(page: Page) -> float:
    """How wide the first bar is, in pixels."""
    return float(page.locator(".bar .works").first.bounding_box()["width"])  # type: ignore[index]


def test_the_axis_zooms_and_its_range_is_in_the_address(page: Page, api):
    page.goto(start(api, model="text-20x20"))
    expect_status(page, "Completed")
    expect(page.locator("#ticks span").first).to_have_text(re.compile(r"^0 (ms|s)$"))
    expect(page.get_by_text(re.compile(r"^0 s is \d\d:\d\d:\d\d"))).to_be_visible()
    before = page.locator("#ticks").inner_text()
    page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile(r"\?range=\d+-\d+$"))
    zoomed = page.locator("#ticks").inner_text()
    assert zoomed != before
    page.reload()
    assert page.locator("#ticks").inner_text() == zoomed
    page.get_by_role("button", name="Whole run").click()
    expect(page).not_to_have_url(re.compile("range"))
    box = page.locator("#ticks").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"\?range=\d+-\d+$"))


def test_only_a_drag_that_began_on_the_axis_zooms(page: Page, api):
    page.goto(start(api, model="text-20x20"))
    expect_status(page, "Completed")
    ticks = page.locator("#ticks")
    box = ticks.bounding_box()
    assert box is not None
    middle, y = box["x"] + box["width"] / 2, box["y"] + 5
    page.mouse.move(middle, y - 100)
    page.mouse.down()
    page.mouse.move(middle, y)
    page.mouse.up()
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    ticks.dispatch_event("pointercancel")
    page.mouse.move(middle, y)
    page.mouse.up()
    assert "range" not in page.url


def test_bars_and_the_split_grow_while_the_run_goes_on(page: Page, api):
    page.goto(start(api, model="text-150x20"))
    expect(page.locator(".writing")).to_contain_text("w10 ")
    growing = page.locator(".split [data-grows] dd")
    first = growing.inner_text()
    expect(growing).not_to_have_text(first)
    assert page.locator(".split [data-grows]").get_attribute("data-part") == "model"
    expect_status(page, "Completed")
    shares = [int(s.split()[0]) for s in page.locator(".split small").all_inner_texts()]
    assert sum(shares) == 100


def test_focus_stays_on_a_row_whose_status_changes(page: Page, api):
    page.goto(start(api, model="text-60x20"))
    line = page.locator("summary.step-line").first
    line.focus()
    expect_status(page, "Completed")
    expect(line).to_be_focused()


def test_paused_and_resumed_it_misses_nothing(page: Page, api):
    page.goto(start(api, model="text-200x20"))
    expect(page.locator(".writing")).to_contain_text("w10 ")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#pill")).to_have_text("Paused")
    at = page.locator("#cursor").inner_text()
    page.wait_for_timeout(700)  # events pass meanwhile
    assert page.locator("#cursor").inner_text() == at
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#pill")).to_have_text("Live")
    expect(page.get_by_text(re.compile(r"^Caught up to event \d+$"))).to_be_visible()
    expect_status(page, "Completed")
    assert final_text(page) == expected_text("text-200x20")


def test_scrolling_up_stops_following_and_jump_to_end_goes_on(page: Page, api):
    page.goto(start(api, model="text-9000x10"))
    expect(page.locator(".writing")).to_contain_text("w30 ")
    page.mouse.move(400, 400)
    page.mouse.wheel(0, -300)
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")
    jump = page.get_by_role("button", name="Jump to end")
    jump.click()
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "true")
    expect(jump).to_be_hidden()


def test_what_tab_leads_to_stays_in_sight(page: Page, api):
    page.goto(start(api, model="text-900+text-3000x20"))
    expect(page.locator(".writing")).to_contain_text("w899 ")
    first = page.get_by_role("main").get_by_role("link", name="Runs")
    expect(first).not_to_be_in_viewport()  # the end is followed
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    for _ in range(3):
        at = page.locator("#cursor").inner_text()
        expect(page.locator("#cursor")).not_to_have_text(at)
    expect(first).to_be_in_viewport()
    page.get_by_role("button", name="Jump to end").press("Enter")
    expect(first).not_to_be_in_viewport()


def test_the_page_of_an_ended_run_stays_quiet(page: Page, api):
    url = wait_for(api, start(api, model="text-5"), "completed")
    page.clock.install()
    page.goto(url)
    expect(page.locator("#pill")).to_have_text("Finished")
    page.clock.run_for(5000)  # the watch fails on any error of its timers


def test_a_long_run_fetches_what_is_opened(page: Page, long_run: str):
    page.goto(long_run)
    expect(page.locator("#steps > li")).to_have_count(500)
    row = page.locator("#steps > li").nth(7)
    row.locator("summary").click()
    expect(row.get_by_text("output 7", exact=True)).to_be_visible()


def test_a_large_output_is_shown_whole_on_demand(page: Page, long_run: str):
    page.goto(long_run)
    row = page.locator("#steps > li").first
    row.locator("summary").click()
    expect(row.get_by_text("Showing 128 KiB of 781 KiB.")).to_be_visible()
    row.get_by_role("link", name="Show all").click()
    expect(row.get_by_text("Showing")).to_have_count(0)
    assert row.get_by_role("group", name="Output of look_up").text_content() == "é" * 400_000


def test_a_downloaded_run_opens_without_a_server(page: Page, api, new_context, tmp_path: Path):
    page.goto(start(api, model="text-5"))
    expect_status(page, "Completed")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="One HTML file").click()
    path = tmp_path / "run.html"
    download.value.save_as(path)
    context = new_context(java_script_enabled=False)
    context.set_offline(offline=True)
    alone = context.new_page()
    alone.set_content(path.read_text())
    expect(alone.get_by_text(expected_text("text-5").strip())).to_be_visible()
    assert alone.locator(".exported > li").count() == page.locator("#steps > li").count()


def test_views_and_pages_of_a_run(page: Page, api):
    page.goto(start(api, model="tools-1-then-text-3", tools=TOOLS))
    expect_status(page, "Needs input")
    page.get_by_role("link", name="Compact").click()
    row = page.locator("#steps > li").first
    expect(row.locator(".step-body")).to_be_hidden()
    row.locator("summary").click()
    row.get_by_role("link", name="Step details").click()
    expect(page.get_by_role("heading", name="Times")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Events").click()
    page.get_by_text("thread.run.requires_action", exact=True).last.click()
    expect(page.get_by_text("submit_tool_outputs").first).to_be_visible()
    page.get_by_role("link", name="JSON").click()
    expect(page.get_by_label("The run as JSON")).to_contain_text('"object": "thread.run.step"')
