"""A tab that nobody looks at: it lets go of its run, and still tells what waits for a person."""

import re

from playwright.sync_api import Page, WebSocket, expect

from tests.browser.steps import TOOLS, expect_status, final_text, start, wait_for
from tests.upstream_script import expected_text

#: Notes how many milliseconds after the tab was shown again its run had been caught up.
WATCH_THE_END = """() => {
    const pill = document.querySelector("#pill");
    const watch = (shown) => new MutationObserver(() => {
        if (pill.dataset.state === "finished") window.caught_up_ms ??= performance.now() - shown;
    }).observe(pill, { attributes: true });
    document.addEventListener("visibilitychange", () => watch(performance.now()));
}"""


def hide(page: Page, *, hidden: bool) -> None:
    """Tell the page that its tab is hidden or shown."""
    page.evaluate(
        """hidden => {
            const facts = { hidden, visibilityState: hidden ? "hidden" : "visible" };
            for (const [name, value] of Object.entries(facts))
                Object.defineProperty(document, name, { value, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_a_hidden_tab_lets_go_of_its_run_and_catches_up(page: Page, api):
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    url = start(api, model="text-200x20")
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w10 ")
    (of_run,) = [socket for socket in sockets if "/runs/" in socket.url]
    with of_run.expect_event("close"):
        hide(page, hidden=True)
    expect(page.locator("#pill")).to_have_text("Paused")
    at = page.locator("#cursor").inner_text()
    wait_for(api, url, "completed")
    assert page.locator("#cursor").inner_text() == at
    page.evaluate(WATCH_THE_END)
    hide(page, hidden=False)
    expect(page.locator("#pill")).to_have_text("Finished")
    assert page.evaluate("window.caught_up_ms") <= 5000  # 1 s where nothing else is going on
    expect_status(page, "Completed")
    assert final_text(page) == expected_text("text-200x20")


def test_a_tab_that_is_shown_in_mid_run_goes_on(page: Page, api):
    page.goto(start(api, model="text-200x20"))
    expect(page.locator(".writing")).to_contain_text("w10 ")
    hide(page, hidden=True)
    expect(page.locator("#pill")).to_have_text("Paused")
    hide(page, hidden=False)
    expect(page.locator("#pill")).to_have_text("Live")
    expect_status(page, "Completed")
    assert final_text(page) == expected_text("text-200x20")


def test_a_hidden_tab_still_tells_what_waits(page: Page, api):
    page.goto(start(api, model="text-3000x20"))
    expect(page.locator(".writing")).to_contain_text("w10 ")
    hide(page, hidden=True)
    expect(page.locator("#pill")).to_have_text("Paused")
    badge = page.locator("#inbox-count")
    before = int(badge.text_content() or 0)
    wait_for(api, start(api, tools=TOOLS), "requires_action")
    expect(badge).to_have_text(str(before + 1))
    expect(page).to_have_title(re.compile(rf"^\({before + 1}\) run_"))
    expect(page.locator("#pill")).to_have_text("Paused")
