"""The page of the API reference: drawn without a session, by our files alone, and usable."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from runs.api.openapi.operations import OPERATIONS
from tests.live import LiveServer


@pytest.fixture(params=["light", "dark"])
def docs(
    new_context: Callable[..., BrowserContext], live: LiveServer, request: pytest.FixtureRequest
) -> Page:
    """The page as a stranger opens it."""
    context = new_context(base_url=live.url, storage_state=None, color_scheme=request.param)
    page = context.new_page()
    page.goto("/v1/docs")
    return page


def test_all_operations_are_shown(docs: Page):
    expect(docs.locator(".opblock")).to_have_count(len(OPERATIONS))
    run = docs.locator("#operations-Runs-createRun")
    run.locator(".opblock-summary-control").click()
    expect(run.get_by_role("heading", name="Responses")).to_be_visible()
    expect(run.get_by_text("Runsite's own.").first).to_be_visible()
    assert docs.context.cookies() == []


def test_a_call_can_be_tried(docs: Page, live: LiveServer):
    docs.locator(".btn.authorize").click()
    docs.locator("#auth-bearer-value").fill(live.key)
    docs.get_by_role("button", name="Apply credentials").first.click()
    docs.get_by_role("button", name="Close").first.click()
    thread = docs.locator("#operations-Threads-createThread")
    thread.locator(".opblock-summary-control").click()
    thread.get_by_role("button", name="Try it out").click()
    thread.get_by_role("button", name="Execute").click()
    answer = thread.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer.locator(".microlight").first).to_contain_text('"object": "thread"')


def test_without_prefix(new_context: Callable[..., BrowserContext], live: LiveServer):
    page = new_context(base_url=live.url, storage_state=None).new_page()
    page.goto("/docs")
    expect(page.locator(".opblock")).to_have_count(len(OPERATIONS))


def test_without_a_script_the_page_leads_to_the_document(
    new_context: Callable[..., BrowserContext], live: LiveServer
):
    context = new_context(base_url=live.url, storage_state=None, java_script_enabled=False)
    page = context.new_page()
    page.goto("/docs")
    expect(page.get_by_text("drawn by a script")).to_be_visible()
