"""Times are told alike, with their zone, on the day on which the clocks are set back too."""

import re

import pytest
from playwright.sync_api import expect

from tests.live import LiveServer

#: A run from half past two in the summer to half past two in the winter, an hour later.
FROM, TO = "2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"
ZONES = {
    "UTC": ("2026-10-25 00:30:00 UTC", "2026-10-25 01:30:00 UTC"),
    "Europe/Oslo": ("2026-10-25 02:30:00 CEST", "2026-10-25 02:30:00 CET"),
    "Asia/Kathmandu": ("2026-10-25 06:15:00 +0545", "2026-10-25 07:15:00 +0545"),
}


@pytest.fixture(scope="module")
def path(live: LiveServer) -> str:
    """The page of that run."""
    write = f"from tests.browser import rows; rows.write_at('{FROM}', '{TO}')"
    done = live.manage("shell", "--no-imports", "-c", write)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


@pytest.mark.parametrize("zone", ZONES)
def test_every_place_tells_the_time_of_the_zone(new_context, live, path: str, zone: str):
    begun, ended = ZONES[zone]
    context = new_context(base_url=live.url)
    page = context.new_page()
    page.goto("/console/settings/")
    page.get_by_label("Time zone").select_option(zone)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"Times are shown in {zone}.")).to_be_visible()
    page.goto("/console/runs/")
    expect(page.get_by_text(f"Times in {zone}")).to_be_visible()
    run_id = path.rstrip("/").rpartition("/")[2]
    expect(page.locator(f"#{run_id} time").last).to_have_attribute("title", begun)
    page.goto(path)
    expect(page.get_by_text(f"0 s is {begun.split()[1]} {zone}")).to_be_visible()
    step = page.locator(".step-foot time").first
    expect(step).to_have_attribute("title", begun.replace(":00 ", ":00.000 "))
    end = page.locator(".crumbs time")
    expect(end).to_have_attribute("title", ended.replace(":00 ", ":00.000 "))
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="One HTML file").click()
    exported = download.value.path().read_text()
    assert f"<dt>Created</dt><dd>{begun}</dd>" in exported
    assert set(re.findall(r"2026-10-25 [\d:]+ [A-Z+\d]+", exported)) <= {begun, ended}
