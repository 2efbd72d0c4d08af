"""A user with more pages open than one may have."""

from contextlib import ExitStack

from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from runs.contract.limits import SOCKETS
from tests.browser.steps import final_text, start
from tests.live import LiveServer
from tests.upstream_script import expected_text


def test_a_page_past_the_bound_says_so(page: Page, api, live: LiveServer, signed_in):
    """It does not try again by itself; what it shows is what there was. With fewer pages it is
    live again."""
    (session,) = [one for one in signed_in["cookies"] if one["name"] == "runsite_session"]
    url = start(api, model="text-400x20")
    with ExitStack() as stack:
        for _ in range(SOCKETS):
            opened = connect(
                f"ws://127.0.0.1:{live.port}/console/ws/attention/",
                origin=live.url,
                additional_headers={"Cookie": f"runsite_session={session['value']}"},
                proxy=None,
            )
            socket = stack.enter_context(opened)
            assert socket.recv(20)
        page.goto(url)
        expect(page.locator("#pill")).to_have_text("Too many pages open")
        expect(page.locator("#retry")).to_be_hidden()
    page.reload()
    expect(page.locator(".writing, .final, #steps").first).to_contain_text("w5 w6")
    expect(page.locator("#pill")).to_have_text("Finished", timeout=30_000)
    assert final_text(page) == expected_text("text-400x20")
