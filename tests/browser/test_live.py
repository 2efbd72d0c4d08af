"""A run's page, from the form to the end, without a reload."""

import re
import time

import httpx
from playwright.sync_api import Page, Route, expect

from tests.browser.steps import (
    DEMO,
    TOOLS,
    create_run,
    expect_status,
    final_text,
    reload_count,
    start,
    stored_text,
)
from tests.upstream_script import expected_text


def test_two_tools_from_the_form_to_the_end(page: Page, api):
    page.goto("/console/runs/new/")
    page.get_by_role("button", name=f"Use {DEMO}").click()
    page.get_by_role("button", name="Use two sample functions").click()
    page.get_by_label("Message", exact=True).fill("Compare two cities.")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Needs input")
    loads = reload_count(page)
    expect(page.get_by_role("heading", name="2 calls need an output")).to_be_visible()
    expect(page.locator(".desk [data-until]")).to_have_text(re.compile(r"^\d+:\d\d$"))
    outputs = page.locator(".desk textarea")
    outputs.nth(0).fill('{"sky": "clear"}')
    outputs.nth(1).fill("noon")
    page.get_by_role("button", name="Send all 2 outputs").click()
    expect_status(page, "Completed")
    expect(page.locator(".desk textarea")).to_have_count(0)
    expect(page.locator("#pill")).to_have_text("Finished")
    expect(page.locator(".call").nth(1)).to_contain_text("noon")
    assert final_text(page) == stored_text(api, page.url)
    assert reload_count(page) == loads


def test_steps_and_text_appear_while_the_run_goes_on(page: Page, api):
    url = start(api, model="text-200x20")
    page.goto(url)
    expect(page.locator("#pill")).to_have_text("Live")
    writing = page.locator(".writing")
    expect(writing).to_contain_text("w5 w6")
    first = int(page.locator("#cursor").inner_text())
    expect(writing).to_contain_text("w150 w151")
    assert int(page.locator("#cursor").inner_text()) > first
    expect_status(page, "Completed")
    assert final_text(page) == stored_text(api, url) == expected_text("text-200x20")


def test_cancelling_while_it_streams(page: Page, api):
    url = start(api, model="text-2000x20")
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w10")
    loads = reload_count(page)
    page.get_by_role("button", name="Cancel run").click()
    expect_status(page, "Cancelled")
    expect(page.get_by_text("The message ends here: the run was cancelled.")).to_be_visible()
    shown = page.locator("[id$=-stored]").text_content()
    assert shown == stored_text(api, url)
    assert reload_count(page) == loads


def test_cancelling_while_it_waits_for_outputs(page: Page, api):
    page.goto(start(api, tools=TOOLS))
    output = page.get_by_label("Output of get_weather")
    output.fill("typed with care")
    page.get_by_role("button", name="Cancel run").click()
    expect_status(page, "Cancelled")
    expect(output).to_have_value("typed with care")
    expect(page.get_by_role("button", name="Send all 2 outputs")).to_be_disabled()
    expect(page.get_by_text("The run is cancelled and takes no outputs.")).to_be_visible()


def test_a_cut_connection_loses_and_doubles_nothing(new_context, proxy, watch, api):
    watch.allow_lost_connections()
    page = new_context(base_url=proxy.url).new_page()
    url = start(api, model="text-300x20")
    page.goto(url)
    for seen in ("w20 ", "w90 ", "w160 "):
        expect(page.locator(".writing")).to_contain_text(seen)
        shown = page.locator(".writing").text_content() or "nothing"
        assert expected_text("text-300x20").startswith(shown)
        proxy.cut()
        expect(page.locator("#pill")).to_have_text("Live")
    expect_status(page, "Completed")
    assert final_text(page) == stored_text(api, url) == expected_text("text-300x20")


def test_a_long_break_is_caught_up(new_context, proxy, watch, api):
    watch.allow_lost_connections()
    page = new_context(base_url=proxy.url).new_page()
    url = start(api, model="text-900x3")
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w20 ")
    proxy.refusing = True
    proxy.cut()
    expect(page.locator("#pill")).to_have_text(re.compile("Reconnecting"))
    time.sleep(2.5)  # several hundred events pass unseen: more than are replayed
    proxy.refusing = False
    expect_status(page, "Completed")
    assert final_text(page) == stored_text(api, url) == expected_text("text-900x3")


def test_a_socket_extension_that_comes_late_still_connects(page: Page, api):
    def late(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route("**/hx-ws*.js", late)
    page.goto(start(api, model="text-100x30"))
    expect(page.locator("#pill")).to_have_text("Live")
    expect_status(page, "Completed")


def test_a_page_that_never_gets_a_socket_does_not_look_live(page: Page, api, watch):
    watch.allow_lost_connections()
    page.route("**/hx-ws*.js", lambda route: route.abort())
    page.goto(start(api, tools=TOOLS))
    expect(page.locator("#pill")).to_have_text("Not live")
    total = page.locator("#run-head [data-since]")
    before = total.inner_text()
    page.wait_for_timeout(2500)  # two beats of its clocks
    assert total.inner_text() == before


def test_a_server_that_dies_is_caught_up(new_context, start_server, upstream, watch):
    watch.allow_lost_connections()
    server = start_server(RUNSITE_UPSTREAM_URL=upstream.url, RUNSITE_LEASE_SECONDS="1")
    page = new_context(base_url=server.url, storage_state=None).new_page()
    page.goto(server.login_url)
    page.wait_for_url("**/console/")
    with httpx.Client(base_url=server.base_url, headers=server.headers()) as api:
        url = start(api, model="text-200x25")
        page.goto(url)
        loads = reload_count(page)
        expect(page.locator(".writing")).to_contain_text("w40 ")
        server.kill9()
        expect(page.locator("#pill")).to_have_text(re.compile("Reconnecting|Offline"))
        server.start()
        expect(page.locator("#pill")).to_have_text("Live", timeout=30_000)
        expect_status(page, "Completed")
        assert final_text(page) == stored_text(api, url) == expected_text("text-200x25")
        expect(page.get_by_text("Interrupted, run again")).to_be_visible()
        assert reload_count(page) == loads


def test_a_server_that_is_restarted_is_caught_up(new_context, start_server, upstream, watch):
    watch.allow_lost_connections()
    server = start_server(RUNSITE_UPSTREAM_URL=upstream.url)
    page = new_context(base_url=server.url, storage_state=None).new_page()
    page.goto(server.login_url)
    page.wait_for_url("**/console/")
    with httpx.Client(base_url=server.base_url, headers=server.headers()) as api:
        url = start(api, model="text-200x25")
        page.goto(url)
        loads = reload_count(page)
        expect(page.locator(".writing")).to_contain_text("w40 ")
        server.stop()
        server.start()
        expect(page.locator("#pill")).to_have_text("Finished", timeout=30_000)
        assert final_text(page) == stored_text(api, url) == expected_text("text-200x25")
        assert reload_count(page) == loads


def test_tool_calls_are_seen_while_the_model_writes_them(page: Page, api):
    url = start(api, model="tools-2-then-text-3", tools=TOOLS)
    page.goto(url)
    expect_status(page, "Needs input")
    expect(page.locator("#steps .call")).to_have_count(2)
    expect(page.locator("#steps .call").first).to_contain_text('{"n": 0}')


def test_a_second_round_of_calls_opens_the_desk_again(page: Page, api):
    url = start(api, model="tools-1-then-tools-1-then-text-3", tools=TOOLS)
    page.goto(url)
    for answer in ("first", "second"):
        field = page.locator(".desk textarea")
        expect(field).to_have_value("")
        field.fill(answer)
        page.get_by_role("button", name="Send the output").click()
        expect(page.locator("#steps").get_by_text(answer, exact=True)).to_be_visible()
    expect_status(page, "Completed")


def test_ctrl_enter_sends(page: Page, api):
    page.goto(start(api, model="tools-1-then-text-3", tools=TOOLS))
    page.locator(".desk textarea").fill("x")
    page.keyboard.press("Control+Enter")
    expect_status(page, "Completed")


def test_the_form_shows_what_is_wrong_and_keeps_the_rest(page: Page):
    create_run(page, model="", message="", tools="[")
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was sent.")
    expect(page.get_by_role("alert").first).to_be_focused()
    expect(page.get_by_label("Functions")).to_have_value("[")
    expect(page.get_by_label("Functions")).to_have_attribute("aria-invalid", "true")
