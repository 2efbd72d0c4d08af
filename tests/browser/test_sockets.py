"""A user with more pages open than one may have."""

import time
from contextlib import ExitStack

from playwright.sync_api import Page, WebSocketRoute, expect
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


def test_a_page_goes_by_what_its_socket_was_closed_with(page: Page, api):
    """4000, the server goes down: it is back at once. 4401, the session has ended: it asks to sign
    in and does not try again."""
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket("**/console/ws/runs/**", through)
    page.goto(start(api, model="text-2000x20"))
    pill = page.locator("#pill")
    expect(pill).to_have_text("Live")
    sockets[0].close(code=4000)
    until = time.monotonic() + 20
    while len(sockets) == 1 and time.monotonic() < until:
        page.wait_for_timeout(50)
    expect(pill).to_have_text("Live")
    assert len(sockets) == 2
    sockets[1].close(code=4401)
    expect(pill).to_have_text("Sign in again")
    page.wait_for_timeout(3000)  # longer than the pauses between the first tries
    assert len(sockets) == 2
    expect(pill).to_have_text("Sign in again")
