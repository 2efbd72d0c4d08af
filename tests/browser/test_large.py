"""A run of 5,000 steps, and an output of 5 MiB."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.rows import LARGE


@pytest.fixture(scope="module")
def huge_run(live: Any) -> str:
    """The page of that run."""
    done = live.manage(
        "shell", "--no-imports", "-c", "from tests.browser import rows; rows.write_huge()"
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def test_its_steps_come_in_pages(page: Page, huge_run: str):
    page.goto(huge_run)
    pages = page.get_by_role("navigation", name="Pages of steps")
    expect(pages).to_contain_text("of 5\u202f000")
    shown = page.get_by_role("list").locator("li.step")
    expect(shown).to_have_count(500)
    pages.get_by_role("link").last.click()
    expect(page).to_have_url(re.compile(r"\?page=\d"))
    expect(shown).to_have_count(500)


def test_the_next_match_is_found_on_whatever_page(page: Page, huge_run: str):
    page.goto(huge_run)
    page.keyboard.press("f")
    page.keyboard.type("needle")
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 steps")).to_be_visible()
    at = []
    for place in ("1 of 3", "2 of 3", "3 of 3", "1 of 3"):
        page.wait_for_load_state()  # keys are pressed on a page that is whole
        page.keyboard.press("n")
        expect(page.get_by_text(place, exact=True)).to_be_visible()
        chosen = page.locator("li.step.chosen, li.step:target").first
        expect(chosen).to_be_in_viewport()
        expect(chosen).to_contain_text("needle")
        at.append(chosen.get_attribute("id"))
    assert len(set(at)) == 3
    assert at[0] == at[3]
    page.wait_for_load_state()
    page.keyboard.press("N")
    expect(page.get_by_text("3 of 3", exact=True)).to_be_visible()


def test_a_large_output_is_cut_with_its_size_and_shown_and_downloaded_whole(
    page: Page, huge_run: str
):
    page.goto(f"{huge_run}?page=1")
    row = page.locator("li.step").first
    row.locator("summary").click()
    output = row.get_by_role("group", name="Output of look_up")
    expect(row.get_by_text("of 5.0 MiB.")).to_be_visible()
    assert len(output.text_content() or "") <= 64 * 1024
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == LARGE.encode()
    row.get_by_role("link", name="Show all").click()
    expect(row.get_by_text("of 5.0 MiB.")).to_have_count(0)
    assert output.evaluate("node => node.textContent") == LARGE
