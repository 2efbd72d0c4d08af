"""Themes, forced colours, reduced motion, and very narrow windows."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import complaints, overflow
from tests.browser.steps import TOOLS, expect_status, start, wait_for
from tests.live import LiveServer

Contexts = Callable[..., BrowserContext]
DARK, LIGHT = "rgb(17, 19, 23)", "rgb(251, 251, 250)"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"

#: Controls that stick out of the window, and are in nothing that scrolls by itself.
CLIPPED = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((one) => one.checkVisibility() && !one.closest(".scroll, .facets, .unseen, dialog"))
  .filter((one) => {
    const { width, left, right } = one.getBoundingClientRect();
    return width && (left < -1 || right > innerWidth + 1);
  })
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize(("scheme", "colour"), [("light", LIGHT), ("dark", DARK)])
def test_the_theme_of_the_system(new_context: Contexts, live: LiveServer, scheme: str, colour: str):
    page = new_context(base_url=live.url, color_scheme=scheme).new_page()
    page.goto("/console/runs/")
    assert page.evaluate(BACKGROUND) == colour
    page.emulate_media(color_scheme="light" if colour == DARK else "dark")
    assert page.evaluate(BACKGROUND) != colour


def test_a_chosen_theme_stays_and_stands_in_the_page_itself(
    new_context: Contexts, live: LiveServer
):
    """No script sets it, so that nothing is ever painted in the other one."""
    context = new_context(base_url=live.url, color_scheme="light", java_script_enabled=False)
    page = context.new_page()
    page.goto("/console/runs/?status=failed")
    page.get_by_role("button", name="Dark theme").click()
    expect(page).to_have_url(re.compile(r"/runs/\?status=failed$"))
    expect(page.locator("body")).to_have_css("background-color", DARK)
    other = context.new_page()
    other.goto("/console/threads/")
    expect(other.locator("body")).to_have_css("background-color", DARK)
    expect(other.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "true")
    other.get_by_role("button", name="Theme of the system").click()
    expect(other.locator("body")).to_have_css("background-color", LIGHT)


def test_forced_colours_keep_what_tells_statuses_apart(page: Page, api: httpx.Client):
    wait_for(api, start(api), "completed")
    wait_for(api, start(api, text="#fail rate_limit_exceeded"), "failed")
    page.emulate_media(forced_colors="active")
    page.goto("/console/runs/")
    for word in ("Completed", "Failed"):
        badge = page.get_by_role("table").locator(".badge", has_text=word).first
        assert badge.evaluate("badge => parseFloat(getComputedStyle(badge).borderTopWidth)") >= 1
        icon = badge.locator("svg")
        expect(icon).to_be_visible()
        colour = icon.evaluate("icon => getComputedStyle(icon).color")
        assert colour != page.evaluate(BACKGROUND)


def test_nothing_moves_for_those_who_asked_for_that(page: Page, api: httpx.Client):
    page.emulate_media(reduced_motion="reduce")
    page.goto(start(api, model="text-2000x20"))
    expect(page.locator(".writing")).to_contain_text("w5")
    moving = "document.getAnimations().length"
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) > 0  # the caret of what is being written: the test sees motion
    page.get_by_role("button", name="Cancel run").click()
    expect_status(page, "Cancelled")


@pytest.mark.parametrize(("width", "zoom"), [(320, 1), (640, 2)], ids=["320 px", "200 %"])
def test_a_narrow_window_cuts_no_control(
    new_context: Contexts, live: LiveServer, api: httpx.Client, width: int, zoom: int
):
    waiting = wait_for(api, start(api, tools=TOOLS), "requires_action")
    ended = wait_for(api, start(api), "completed")
    thread = ended.partition("runs/")[0]
    page = new_context(base_url=live.url, viewport={"width": width, "height": 640}).new_page()
    found = []
    for path in (
        "/console/", "/console/inbox/", "/console/runs/", "/console/threads/", thread, waiting,
        ended, f"{ended}events/", "/console/runs/new/", "/console/assistants/", "/console/usage/",
        "/console/keys/", "/console/settings/", "/console/members/",
    ):  # fmt: skip
        page.goto(path)
        page.evaluate("zoom => { document.documentElement.style.zoom = zoom }", zoom)
        found += [f"{path}: {one}" for one in page.evaluate(CLIPPED)] + overflow(page)
        found += complaints(page)  # targets of 24 px among them
    assert found == []
