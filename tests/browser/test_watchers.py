"""Many who watch one run, and what they leave behind."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import expect_status, final_text, start, stored_text
from tests.browser.watchers import Watcher, watching
from tests.live import LiveServer
from tests.process.client import until
from tests.upstream import Upstream
from tests.upstream_script import gate, text, token

WATCHERS = 50
NUMBERS = itertools.count()


class Crowd:
    """Sockets of one session that watch the same run."""

    def __init__(self, live: LiveServer, upstream: Upstream, signed_in: Any):
        (cookie,) = [one for one in signed_in["cookies"] if one["name"] == "runsite_session"]
        self.live, self.upstream = live, upstream
        self.sessions = [cookie["value"]] * WATCHERS

    def start(self, api: httpx.Client, words: list[str], pause: float) -> tuple[str, str]:
        """A run that waits for its watchers: the path of its page, and what it waits for."""
        name = f"run {next(NUMBERS)}"
        self.upstream.play([gate(name), *[text(word, pause) for word in words]])
        return start(api, model="any"), name

    async def watch(self, url: str, name: str) -> list[Watcher]:
        """Watch the run from its first word to its end."""
        run_id = url.rstrip("/").rpartition("/")[2]
        async with watching(self.live, run_id, self.sessions) as watchers:
            self.upstream.open(name)
        return watchers

    async def leave_no_more_than(self, most: float) -> None:
        """Wait until the server holds no more than so many bytes."""
        await until(lambda: self.live.memory <= most, 10, f"{self.live.memory} of {most}")


@pytest.fixture
def crowd(live: LiveServer, upstream: Upstream, signed_in) -> Crowd:
    return Crowd(live, upstream, signed_in)


def in_thread(work: Any) -> Any:
    """Do async work beside Playwright, whose loop is in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_fifty_watchers_and_a_page_see_all_of_a_run(crowd: Crowd, page: Page, api):
    words = [token(i) for i in range(400)]
    url, name = crowd.start(api, words, 0.02)
    page.goto(url)
    expect(page.locator("#pill")).to_have_text("Live")
    watchers = in_thread(crowd.watch(url, name))
    for watcher in watchers:
        assert watcher.code == 4001
        assert watcher.unbroken
        assert [number for number, _ in watcher.tokens] == list(range(len(words)))
    expect_status(page, "Completed")
    assert final_text(page) == stored_text(api, url) == "".join(words)


def test_watchers_who_have_left_take_no_memory(crowd: Crowd, api, live: LiveServer):
    words = [token(i) for i in range(100)]
    in_thread(crowd.watch(*crowd.start(api, words, 0.01)))  # what the first ones load stays
    before = live.memory
    for _ in range(4):
        in_thread(crowd.watch(*crowd.start(api, words, 0.01)))
    in_thread(crowd.leave_no_more_than(before * 1.1))
