"""A run's page that stays open for long. ``make soak`` leaves it open for three minutes."""

import os
import statistics
import time
from typing import NamedTuple

from playwright.sync_api import CDPSession, Page

from tests.browser.steps import expect_status, final_text, start, stored_text
from tests.browser.watchers import WATCH_TEXT, tokens
from tests.upstream import Upstream
from tests.upstream_script import gate, text, token

SECONDS = int(os.environ.get("RUNSITE_TEST_SOAK_SECONDS", "20"))
PER_SECOND = 20  # events
WORDS = [token(i) for i in range((SECONDS + 5) * PER_SECOND)]
EVENTS = SECONDS * PER_SECOND  # before the page is looked at; how soon the rest is shown is noted
MOST_HEAP = 30 * 1024 * 1024 * SECONDS // 180  # bytes by which it may grow


class Held(NamedTuple):
    """What a page holds once its garbage is collected."""

    heap: int  # bytes
    nodes: int
    listeners: int


def held(cdp: CDPSession) -> Held:
    """Collect the garbage of a page, and count what is left."""
    cdp.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
    return Held(found["JSHeapUsedSize"], found["Nodes"], found["JSEventListeners"])


def wait_for_word(page: Page, number: int) -> None:
    """Wait until the page shows a word."""
    page.locator(".writing", has_text=WORDS[number]).wait_for(timeout=(SECONDS + 30) * 1000)


def test_a_page_that_stays_open_holds_no_more_than_it_shows(page: Page, api, upstream: Upstream):
    said = [text(word, 1 / PER_SECOND) for word in WORDS]
    upstream.play([*said[:EVENTS], gate("looked at"), *said[EVENTS:], gate("read")])
    url = start(api, model="any")
    page.goto(url)
    wait_for_word(page, PER_SECOND)
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")
    before = held(cdp)
    wait_for_word(page, EVENTS - 1)
    after = held(cdp)

    page.evaluate(WATCH_TEXT)
    upstream.open("looked at")
    wait_for_word(page, len(WORDS) - 1)
    behind = time.time() - time.monotonic()
    sent_at = upstream.requests[-1].sent_at
    took = [
        (at - behind - sent_at[number]) * 1000
        for at, part in page.evaluate("window.appended")
        for number in tokens(part)
    ]
    upstream.open("read")
    expect_status(page, "Completed")
    print(  # noqa: T201 - make soak shows it
        f"{SECONDS} s of {PER_SECOND} events/s: the heap grew by {after.heap - before.heap:,} "
        f"bytes to {after.heap:,}; then a word is shown within {statistics.median(took):.0f} ms "
        f"(median), {statistics.quantiles(took, n=20)[-1]:.0f} ms (p95)"
    )
    assert final_text(page) == stored_text(api, url) == "".join(WORDS)
    assert after.heap - before.heap < MOST_HEAP
    assert after.nodes - before.nodes < EVENTS + 100  # each appends one; the time axis has some
    assert after.listeners <= before.listeners
    assert len(took) == len(WORDS) - EVENTS
