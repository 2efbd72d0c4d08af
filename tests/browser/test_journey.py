"""A run from its beginning to a file of it, with the keyboard alone."""

import json

from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import DEMO, expect_status, start

FARTHEST = 60  # presses of Tab from one thing to the next

#: Whether what has the focus is in the window, under nothing else, and marked.
SEEN = """(element) => {
  const box = element.getClientRects()[0];
  const inside = (a, b, most) => (Math.max(a, 0) + Math.min(b, most)) / 2;
  const x = inside(box.left, box.right, innerWidth), y = inside(box.top, box.bottom, innerHeight);
  const on_top = document.elementFromPoint(x, y);
  return element.contains(on_top) && getComputedStyle(element).outlineStyle !== "none";
}"""


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus; all that has it on the way can be seen."""
    expect(wanted).to_be_visible()
    for _ in range(FARTHEST):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert focused.evaluate(SEEN), f"not seen: {focused.evaluate('e => e.outerHTML')}"
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def ready(page: Page, heading: str) -> None:
    """Wait until a page is there and its scripts have run."""
    expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    expect(page.locator("html.js")).to_be_attached()


def skip_to_content(page: Page) -> None:
    """Past the navigation, by the link that each page begins with."""
    tab_to(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Enter")


def create(page: Page) -> None:
    """Start a run whose two calls somebody must answer."""
    page.keyboard.press("c")
    ready(page, "New run")
    skip_to_content(page)
    tab_to(page, page.get_by_role("combobox", name="Model", exact=True))
    page.keyboard.type(DEMO)
    tab_to(page, page.get_by_role("textbox", name="Message", exact=True))
    page.keyboard.type("How is Oslo? #delay 20")
    tab_to(page, page.get_by_role("button", name="Use two sample functions"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Functions", exact=True)).to_be_focused()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/threads/**/runs/**")


def answer_calls(page: Page) -> None:
    """Type the outputs and send them."""
    skip_to_content(page)
    for name in ("get_weather", "get_time"):
        tab_to(page, page.get_by_role("textbox", name=f"Output of {name}"))
        page.keyboard.type(f"the {name}, by hand")
    tab_to(page, page.get_by_role("button", name="Send all 2 outputs"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 outputs sent.")).to_be_focused()


def cancel_newest(page: Page) -> None:
    """Cancel the run on top of the list, and go back to the list."""
    page.keyboard.press("g")
    page.keyboard.press("r")
    ready(page, "Runs")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect_status(page, "Running")
    skip_to_content(page)
    tab_to(page, page.get_by_role("button", name="Cancel run"))
    page.keyboard.press("Enter")
    expect_status(page, "Cancelled")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Thread", exact=True)).to_be_focused()
    page.keyboard.press("Escape")


def export_second(page: Page) -> dict[str, object]:
    """What the downloaded file of the second run of the list holds."""
    expect(page.get_by_role("row").nth(1).get_by_role("link")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect_status(page, "Completed")
    skip_to_content(page)
    tab_to(page, page.get_by_text("Export", exact=True))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("listitem").get_by_role("link", name="JSON", exact=True))
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    exported: dict[str, object] = json.loads(download.value.path().read_text())
    return exported


def test_the_whole_journey(page: Page, api):
    page.goto("/console/")
    ready(page, "Overview")
    create(page)
    expect_status(page, "Needs input")
    answer_calls(page)
    expect_status(page, "Completed")
    expect(page.get_by_role("article")).to_contain_text("get_weather answered: the get_weather")
    start(api, model="text-3000x20")
    cancel_newest(page)
    exported = export_second(page)
    assert "the get_time, by hand" in json.dumps(exported)
