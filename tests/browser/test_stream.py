"""What streams into a run's page: soon, smoothly, whole, and without disturbing who reads."""

import statistics
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.steps import TOOLS, expect_status, final_text, start, stored_text, wait_for
from tests.upstream_script import expected_text

#: Notes how many milliseconds after its creation on the server each further step was shown.
WATCH_STEPS = """() => {
    const created = Number(document.querySelector("#run-head").dataset.created);
    const lines = document.querySelectorAll.bind(document, "#steps .step-line");
    const before = lines().length;
    window.shown = [];
    new MutationObserver(() => {
        for (const line of [...lines()].slice(before + window.shown.length))
            window.shown.push(Date.now() - created - Number(line.dataset.s));
    }).observe(document.querySelector("#steps"), { childList: true });
}"""
#: Notes how long each frame of the page was on the screen.
WATCH_FRAMES = """() => {
    window.frames_ms = [];
    let before = performance.now();
    requestAnimationFrame(function next(at) {
        window.frames_ms.push(at - before);
        before = at;
        requestAnimationFrame(next);
    });
}"""


def answer_calls(api: httpx.Client, url: str) -> None:
    """Answer the calls of a run once it waits for them."""
    path = wait_for(api, url, "requires_action").removeprefix("/console").rstrip("/")
    run = api.get(path).raise_for_status().json()
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": "done"} for call in calls]
    api.post(f"{path}/submit_tool_outputs", json={"tool_outputs": outputs}).raise_for_status()


def test_a_step_is_shown_soon_after_it_was_made(page: Page, api):
    url = start(api, model="text-3x30+tools-1", tools=TOOLS)  # the same again, turn by turn
    page.goto(url)
    expect_status(page, "Needs input")
    page.evaluate(WATCH_STEPS)
    for turn in range(2, 27):
        answer_calls(api, url)
        expect(page.locator("#steps > li")).to_have_count(2 * turn, timeout=30_000)
    ordered = sorted(page.evaluate("window.shown"))
    assert len(ordered) == 50
    # No more than each may take at most: half of them, because others work on this machine too.
    assert statistics.median(ordered) <= 250, ordered


def test_a_hundred_tokens_a_second_are_shown_smoothly_and_whole(page: Page, api):
    url = start(api, model="text-1000x10")
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w5 ")
    page.evaluate(WATCH_FRAMES)
    expect_status(page, "Completed")
    frames: list[float] = page.evaluate("window.frames_ms")
    assert final_text(page) == stored_text(api, url) == expected_text("text-1000x10")
    # On a quiet machine 1 % of the frames may be later than this. Others work on this one too.
    assert statistics.median(frames) <= 33


def selection(page: Page) -> Any:
    """The text that is selected on a page."""
    return page.evaluate("getSelection().toString()")


def test_selected_text_stays_selected_while_more_arrives(page: Page, api):
    page.goto(start(api, model="text-500x20"))
    writing = page.locator(".writing")
    expect(writing).to_contain_text("w9 ")
    page.locator("#follow").click()
    writing.dblclick(position={"x": 8, "y": 8})
    chosen = selection(page)
    assert chosen.strip() == "w0"
    expect(writing).to_contain_text("w120 ")
    assert selection(page) == chosen
    expect_status(page, "Completed")
