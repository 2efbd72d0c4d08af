"""Assistants as people use them: made, run, changed, and run again; and what it all took."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import complaints, every_look, overflow
from tests.browser.steps import DEMO, expect_status, start

FUNCTION = """[{"type": "function", "function": {"name": "get_weather", "parameters": {
  "type": "object", "properties": {"city": {"type": "string", "description": "Its name."}},
  "required": ["city"]}}}]"""


def make(page: Page, name: str) -> str:
    """Make an assistant in the editor; the address of its page."""
    page.goto("/console/assistants/new/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Model").fill(DEMO)
    page.get_by_role("textbox", name="Instructions").fill("Be brief.")
    page.get_by_role("button", name="Create assistant").click()
    expect(page.get_by_text(f"The assistant “{name}” is made.")).to_be_visible()
    return page.url


def run(page: Page, address: str) -> None:
    """Run the assistant of this page."""
    page.goto(address)
    page.get_by_role("link", name="Run this assistant").click()
    page.get_by_label("Message", exact=True).fill("Hello")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Completed")


def test_a_run_shows_the_version_it_started_from(page: Page):
    address = make(page, "Forecaster")
    run(page, address)
    settings = page.get_by_role("complementary", name="Settings of the run")
    expect(settings.get_by_role("link", name="assistant v1").first).to_be_visible()
    old = page.url
    page.goto(address)
    page.get_by_role("textbox", name="Instructions").fill("Be brief.\nAnd kind.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as v2.")).to_be_visible()
    run(page, address)
    expect(settings.get_by_role("link", name="assistant v2").first).to_be_visible()
    page.goto(old)
    page.get_by_text("It is v2 by now: what changed").click()
    expect(settings.locator("ins")).to_contain_text("And kind.")
    settings.get_by_role("link", name="assistant v1").first.click()
    expect(page.locator("#v1")).to_be_visible()
    page.goto(f"{address}versions/")
    page.get_by_text("Restore…").click()
    page.get_by_role("button", name="Restore v1").click()
    expect(page.get_by_text("v1 is back, as v3.")).to_be_visible()


def test_two_people_edit_one_assistant(
    page: Page, new_context: Callable[..., BrowserContext], live: Any, watch: Any
):
    watch.allow(409)
    address = make(page, "Shared")
    other = new_context(base_url=live.url).new_page()
    for one in (page, other):
        one.goto(address)
    other.get_by_role("textbox", name="Instructions").fill("Theirs.")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.get_by_text("Saved as v2.")).to_be_visible()
    page.get_by_role("textbox", name="Instructions").fill("Mine.")
    page.get_by_role("button", name="Save", exact=True).click()
    alert = page.get_by_role("alert").filter(has_text="Nothing was saved")
    expect(alert.locator("del")).to_contain_text("Theirs.")
    expect(alert.locator("ins")).to_contain_text("Mine.")
    expect(page.get_by_role("textbox", name="Instructions")).to_have_value("Mine.")
    page.get_by_role("button", name="Save mine over v2").click()
    expect(page.get_by_text("Saved as v3.")).to_be_visible()


def test_functions_are_previewed_before_they_are_saved(page: Page):
    address = make(page, "Tools")
    page.get_by_label("Tools").fill(FUNCTION)
    page.get_by_role("button", name="Check and preview").click()
    expect(page.get_by_text("Nothing is saved yet.")).to_be_visible()
    preview = page.get_by_role("complementary", name="Functions")
    expect(preview.get_by_role("row").nth(1)).to_contain_text("city required")
    page.goto(address)
    expect(page.get_by_label("Tools")).to_have_value("")


def test_costs_appear_once_a_price_is_set(page: Page):
    run(page, make(page, "Priced"))
    page.goto("/console/usage/")
    page.get_by_role("link", name="set one").first.click()
    expect(page.get_by_label("Model")).to_have_value(DEMO)
    page.get_by_label("Valid from").fill("2026-01-01")
    page.get_by_label("Input", exact=False).first.fill("2")
    page.get_by_label("Output").fill("8")
    page.get_by_role("button", name="Set price").click()
    expect(page.get_by_text("The price is set.")).to_be_visible()
    page.goto("/console/usage/?by=assistant&from=-7d")
    table = page.get_by_role("table", name="By assistant")
    expect(table.get_by_role("row").nth(1)).to_contain_text("USD")
    page.get_by_role("link", name="Prices").click()
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name=f"Remove {DEMO}").click()
    expect(page.get_by_text("No prices yet")).to_be_visible()


@pytest.fixture(scope="module")
def assistant(live: Any) -> str:
    """The address of an assistant with two versions, functions and a run."""
    tools = json.loads(FUNCTION)
    with httpx.Client(base_url=live.base_url, headers=live.headers(), trust_env=False) as api:
        settings = {"model": DEMO, "name": "Looked at", "instructions": "Be brief."}
        made = api.post("/assistants", json=settings).raise_for_status().json()
        api.post(f"/assistants/{made['id']}", json={"tools": tools}).raise_for_status()
        start(api)
    return f"/console/assistants/{made['id']}/"


@every_look
def test_how_all_of_it_looks(open_page: Page, assistant: str, watch: Any):
    watch.allow(404)
    paths = ["/console/assistants/", "/console/assistants/?q=nothing", "/console/assistants/new/",
             assistant, f"{assistant}versions/", "/console/usage/", "/console/usage/?by=nothing",
             "/console/prices/"]  # fmt: skip
    found = []
    for path in paths:
        open_page.goto(path)
        found += complaints(open_page) + overflow(open_page)
    assert found == []


@every_look
def test_how_refusals_look(open_page: Page, assistant: str, watch: Any):
    watch.allow(409)
    open_page.goto(assistant)
    open_page.locator("input[name=version]").evaluate("field => { field.value = 1 }")
    open_page.get_by_role("textbox", name="Instructions").fill("Mine.")
    open_page.get_by_role("button", name="Save", exact=True).click()
    expect(open_page.get_by_text("Nothing was saved")).to_be_visible()
    found = complaints(open_page) + overflow(open_page)
    open_page.goto("/console/prices/")
    open_page.get_by_role("button", name="Set price").click()
    expect(open_page.get_by_text("Nothing was sent.")).to_be_visible()
    found += complaints(open_page) + overflow(open_page)
    assert found == []
