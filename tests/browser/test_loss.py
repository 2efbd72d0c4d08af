"""Messages that are lost, doubled or late, and breaks: a run's page ends with what is stored."""

import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import (
    expect_status,
    final_text,
    reload_count,
    start,
    stored_text,
    wait_for,
)
from tests.live import LiveServer
from tests.upstream_script import expected_text

MODEL = "text-400x20"


@pytest.mark.parametrize("fault", ["lost", "late", "gaps"])
def test_live_messages_that_cannot_be_trusted(fault, new_context, upstream, tmp_path: Path):
    server = LiveServer(tmp_path, RUNSITE_UPSTREAM_URL=upstream.url, LIVE_FAULT=fault)
    server.command = (sys.executable, "-m", "tests.browser.lossy")
    with server, httpx.Client(base_url=server.base_url, headers=server.headers()) as api:
        page = new_context(base_url=server.url, storage_state=None).new_page()
        page.goto(server.login_url)
        page.wait_for_url("**/console/")
        url = start(api, model=MODEL)
        page.goto(url)
        loads = reload_count(page)
        for seen in ("w20 ", "w90 ", "w160 "):
            expect(page.locator(".writing")).to_contain_text(seen)
            shown = page.locator(".writing").text_content() or "nothing"
            assert expected_text(MODEL).startswith(shown)
        wait_for(api, url, "completed")
        expect(page.locator("#run-head .badge")).to_have_text("Completed", timeout=10_000)
        assert final_text(page) == stored_text(api, url) == expected_text(MODEL)
        assert page.locator("#steps > li").count() == 1
        assert reload_count(page) == loads


def test_a_page_without_a_network_says_so_and_catches_up(page: Page, api, watch):
    watch.allow_lost_connections()
    url = start(api, model=MODEL)
    page.goto(url)
    loads = reload_count(page)
    expect(page.locator(".writing")).to_contain_text("w20 ")
    page.context.set_offline(True)
    expect(page.locator("#pill")).to_have_text("Offline")
    at = int(page.locator("#cursor").inner_text())
    clock = page.locator("#steps [data-since]")
    stopped_at = clock.inner_text()
    wait_for(api, url, "completed")
    assert clock.inner_text() == stopped_at
    expect(page.locator("#pill")).to_have_text("Offline")
    expect(page.locator("#retry")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#pill")).to_have_text("Finished")
    assert int(page.locator("#cursor").inner_text()) >= at + 300
    assert final_text(page) == stored_text(api, url) == expected_text(MODEL)
    assert reload_count(page) == loads


def test_a_server_that_needs_no_network_stays_live(page: Page, api):
    """A laptop without one is told that it is offline; a server of its own answers all the same."""
    page.goto(start(api, model="text-200x20"))
    expect(page.locator(".writing")).to_contain_text("w20 ")
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect_status(page, "Completed")
    assert final_text(page) == expected_text("text-200x20")
