"""Runs are found by what was said, called and answered; a filter nobody knows is told."""

import re

from playwright.sync_api import Page, expect

from tests.browser.steps import TOOLS, answer, start, wait_for
from tests.upstream_script import call, text


def test_a_run_is_found_by_its_messages_arguments_and_outputs(page: Page, api, upstream):
    arguments = call('{"city": "Zanzibar"}', call_id="call_1", name="get_weather")
    upstream.play([arguments], [text("An otter sleeps here.")])
    url = start(api, model="a-model", text="Is there a walrus?", tools=TOOLS)
    answer(api, url, "Forty seals")
    wait_for(api, url, "completed")
    start(api, text="Something else")
    page.goto("/console/runs/")
    rows = page.get_by_role("table").get_by_role("checkbox", name=re.compile("^Select run_"))
    expect(rows).to_have_count(2)
    for words in ("a walrus", "zanzibar", "forty SEALS", "otter"):
        page.get_by_role("searchbox", name="Search", exact=True).fill(words)
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_role("link", name=f"Remove text {words}")).to_be_visible()
        expect(rows).to_have_count(1)
        found = page.get_by_role("table").get_by_role("link")
        expect(found).to_have_attribute("href", re.compile(re.escape(url)))
    page.get_by_role("searchbox", name="Search", exact=True).fill("a narwhal")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("heading", name="No runs match")).to_be_visible()


def test_a_filter_nobody_knows_is_told(page: Page, api, watch):
    watch.allow(400)
    start(api)
    page.goto("/console/runs/?colour=blue&status=completed")
    told = page.get_by_role("alert").filter(has_text="This list cannot be shown")
    expect(told).to_contain_text("There is no filter “colour”.")
    expect(page.get_by_role("table")).to_have_count(0)
    told.get_by_role("link", name="Show all runs").click()
    expect(page.get_by_role("table")).to_be_visible()
