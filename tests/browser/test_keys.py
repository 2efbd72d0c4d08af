"""Everything by keys, and what waits in the navigation of every page."""

import re

from playwright.sync_api import Page, expect

from tests.browser.axe import complaints, every_look, overflow
from tests.browser.steps import TOOLS, expect_status, start, wait_for


def test_keys_go_everywhere(page: Page, api):
    page.goto("/console/")
    for keys, name in (("gr", "Runs"), ("gi", "Inbox"), ("gt", "Threads"), ("gk", "API keys"),
                       ("gs", "Settings"), ("ga", "Assistants"), ("go", "Overview")):  # fmt: skip
        expect(page.locator("html.js")).to_be_attached()  # the scripts have run
        for key in keys:
            page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1, name="New run")).to_be_visible()


def test_help_lists_the_keys_and_escape_closes_it(page: Page, api):
    page.goto("/console/")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Shortcuts")
    expect(help_.get_by_text("Run again with edits")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")  # not while a dialog is open
    expect(help_).to_be_visible()
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    page.get_by_role("link", name="Shortcuts").click()
    expect(help_).to_be_visible()


def test_letters_typed_into_a_field_press_nothing(page: Page, api):
    page.goto("/console/")
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search, or paste an id")
    expect(search).to_be_focused()
    page.keyboard.type("grc?")
    expect(search).to_have_value("grc?")
    expect(page).to_have_url(re.compile("/console/$"))
    page.keyboard.press("Escape")
    expect(search).not_to_be_focused()


def test_a_pasted_id_is_a_way_to_its_page(page: Page, api):
    url = start(api, text="Hello")
    run_id = url.rstrip("/").rpartition("/")[2]
    page.goto("/console/")
    page.keyboard.press("/")
    page.keyboard.insert_text(run_id)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(re.escape(url)))


def test_the_palette_does_what_it_is_told(page: Page, api):
    page.goto("/console/runs/")
    field = page.get_by_role("textbox", name="Where to go or what to do")
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.type("thre")
    expect(page.get_by_role("button", name="Threads")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Threads")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()  # its script has come
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="New run c")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_rows_are_walked_and_opened(page: Page, api):
    first, second = start(api, text="one"), start(api, text="two")
    page.goto("/console/runs/")
    page.keyboard.press("j")
    focused = page.locator("a:focus")
    expect(focused).to_have_attribute("href", re.compile(second))
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("href", re.compile(first))
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(re.escape(second)))


def test_keys_of_a_run_copy_and_cancel(page: Page, api):
    url = start(api, model="text-2000x20")
    run_id = url.rstrip("/").rpartition("/")[2]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w5")
    copied = "navigator.clipboard.readText()"
    page.keyboard.press("y")
    expect(page.locator("#run-head .copied")).to_be_attached()
    assert page.evaluate(copied) == run_id
    page.keyboard.press("Shift+Y")
    expect(page.get_by_role("button", name="Copy link to this run")).to_have_class(
        re.compile("copied")
    )
    assert page.evaluate(copied).endswith(f"/console/r/{run_id}/")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.keyboard.press("Shift+X")
    assert asked == ["Cancel this run?"]
    expect(page.get_by_role("button", name="Cancel run")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("Shift+X")
    expect_status(page, "Cancelled")


def test_the_slash_goes_to_the_search_of_a_list(page: Page, api):
    page.goto("/console/runs/")
    page.keyboard.press("/")
    expect(page.locator("#filter-q")).to_be_focused()


def test_single_keys_can_be_switched_off(page: Page, api):
    page.goto("/console/settings/")
    page.get_by_role("checkbox", name="Single keys work as shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_zone_of_this_browser(new_context, live):
    context = new_context(base_url=live.url, timezone_id="Europe/Oslo")
    page = context.new_page()
    page.goto("/console/settings/")
    page.get_by_role("button", name="Use this browser's").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Times are shown in Europe/Oslo.")).to_be_visible()


def test_what_waits_is_told_on_every_page(page: Page, api, live):
    page.goto("/console/settings/")
    badge = page.get_by_role("link", name="Inbox").locator("b")
    before = int(badge.text_content() or 0)
    start(api, tools=TOOLS, text="Hello")
    expect(badge).to_have_text(str(before + 1))
    expect(page).to_have_title(re.compile(rf"^\({before + 1}\) Settings"))


def test_calls_are_answered_in_the_inbox(page: Page, api):
    url = wait_for(api, start(api, tools=TOOLS, text="Hello"), "requires_action")
    run_id = url.rstrip("/").rpartition("/")[2]
    page.goto("/console/inbox/")
    card = page.get_by_role("listitem").filter(has=page.locator(f'a[href*="{run_id}"]')).last
    for name in ("get_weather", "get_time"):
        card.get_by_label(f"Output of {name}").fill(f"the {name}")
    card.get_by_role("button", name="Send all 2 outputs").click()
    expect(page.get_by_text("2 outputs sent.")).to_be_visible()
    page.goto(url)
    expect_status(page, "Completed")


@every_look
def test_axe_finds_nothing(open_page: Page, api):
    start(api, tools=TOOLS, text="Hello")
    start(api, text="#fail rate_limit_exceeded")
    found = []
    for path in ("", "inbox/", "settings/", "members/", "projects/"):
        open_page.goto(f"/console/{path}")
        found += complaints(open_page) + overflow(open_page)
    open_page.keyboard.press("?")
    open_page.get_by_text("Run again with edits").first.wait_for()
    found += complaints(open_page)
    open_page.keyboard.press("Escape")
    open_page.keyboard.press("Control+k")
    assert found + complaints(open_page) == []
