"""The desk in a browser: forms, JSON and text of one output, two people, a deadline."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import complaints, every_look, overflow
from tests.browser.steps import TOOLS, expect_status, start, wait_for

SCHEMA = {
    "type": "object",
    "required": ["temperature", "condition"],
    "properties": {
        "temperature": {"type": "number", "title": "Temperature (°C)", "minimum": -90,
                        "description": "Current reading", "examples": [21.5]},
        "condition": {"enum": ["clear", "rain"]},
        "windy": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
        "wind": {"type": "object", "properties": {"speed": {"type": "integer"}}},
        "hours": {"type": "array", "items": {"type": "number"}},
        "extra": {"type": "object", "minProperties": 1},
    },
}  # fmt: skip
SEND = "Send all 2 outputs"
HELD = '{"temperature": 21.50, "condition": "rain", "big": 12345678901234567890, "note": null}'


@pytest.fixture(scope="module", autouse=True)
def schema(live: Any, new_page: Callable[[], Page]) -> None:
    """The schema of get_weather, saved as a person does."""
    page = new_page()
    page.goto(f"{live.url}/console/outputs/")
    page.get_by_label("Function").fill("get_weather")
    page.get_by_role("textbox", name="Schema (required)").fill(json.dumps(SCHEMA))
    page.get_by_role("button", name="Save schema").click()
    expect(page.get_by_role("heading", name="The form it makes")).to_be_visible()


@pytest.fixture(scope="module")
def new_page(browser: Any, signed_in: Any) -> Callable[[], Page]:
    """A page before any test: it is not watched."""
    return browser.new_context(storage_state=signed_in).new_page


def outputs(api: Any, url: str) -> dict[str, str]:
    """The outputs of a run, by function."""
    steps = api.get(f"/{url.removeprefix('/console/')}steps").json()["data"]
    calls = [call for step in steps for call in step["step_details"].get("tool_calls", ())]
    return {call["function"]["name"]: call["function"]["output"] for call in calls}


def weather(page: Page) -> Any:
    """The part of the desk that is for the call of get_weather."""
    return page.locator(".answer").filter(has_text="get_weather")


def fill(page: Page) -> None:
    """Fill in what is required."""
    page.get_by_label("Temperature").fill("21.5")
    page.get_by_label("condition").select_option(label="rain")


def test_a_form_is_refused_told_and_sent(page: Page, api, watch):
    url = start(api, tools=TOOLS)
    page.goto(url)
    page.get_by_label("Temperature").fill("-100")
    page.get_by_label("speed").fill("7")
    page.get_by_label("hours").fill("1\n2.5")
    page.get_by_label("extra").fill('{"a": 1}')
    page.get_by_role("button", name=SEND).click()
    summary = page.get_by_role("alert").filter(has_text="Nothing was sent.")
    expect(summary).to_be_focused()
    field = page.get_by_label("Temperature")
    expect(field).to_have_value("-100")
    expect(field).to_have_accessible_description("Current reading This must be at least -90.")
    summary.get_by_role("link", name="get_weather: condition").click()
    expect(page.get_by_label("condition")).to_be_focused()
    fill(page)
    page.get_by_label("windy").select_option("true")
    page.get_by_role("checkbox", name="null for note").check()
    page.get_by_role("button", name=SEND).click()
    expect_status(page, "Completed")
    assert json.loads(outputs(api, url)["get_weather"]) == {
        "temperature": 21.5, "condition": "rain", "windy": True, "note": None,
        "wind": {"speed": 7}, "hours": [1, 2.5], "extra": {"a": 1},
    }  # fmt: skip


def test_changing_between_form_and_json_keeps_every_value(page: Page, api, watch):
    url = start(api, tools=TOOLS)
    page.goto(url)
    desk = weather(page)
    text = desk.get_by_role("textbox", name="Output of get_weather")
    desk.get_by_role("radio", name="JSON").check()
    text.fill(HELD)
    expect(desk.get_by_text("Valid JSON.")).to_be_visible()
    for _ in range(3):
        desk.get_by_role("radio", name="Form").check()
        expect(text).to_be_hidden()
        expect(page.get_by_label("Temperature")).to_have_value("21.50")
        expect(page.get_by_label("condition")).to_have_value('"rain"')
        expect(page.get_by_role("checkbox", name="null for note")).to_be_checked()
        desk.get_by_role("radio", name="JSON").check()
        expect(text).to_have_value(HELD)
    desk.get_by_role("radio", name="Form").check()
    page.get_by_label("speed").fill("7")
    desk.get_by_role("radio", name="Text").check()
    held = json.loads(HELD) | {"wind": {"speed": 7}}
    assert json.loads(text.input_value()) == held
    desk.get_by_role("radio", name="Form").check()
    page.get_by_role("button", name=SEND).click()
    expect_status(page, "Completed")
    assert json.loads(outputs(api, url)["get_weather"]) == held


def test_text_that_is_no_json_is_kept_and_sent(page: Page, api):
    url = start(api, tools=TOOLS)
    page.goto(url)
    desk = weather(page)
    desk.get_by_role("radio", name="Text").check()
    text = desk.get_by_role("textbox", name="Output of get_weather")
    text.fill("no idea")
    desk.get_by_role("radio", name="Form").check()
    page.get_by_label("Temperature").fill("1")
    desk.get_by_role("radio", name="JSON").check()
    expect(text).to_have_value("no idea")
    expect(desk.get_by_text("Not JSON yet.")).to_be_visible()
    desk.get_by_role("radio", name="Text").check()
    page.get_by_role("button", name=SEND).click()
    expect_status(page, "Completed")
    assert outputs(api, url)["get_weather"] == "no idea"


def test_enter_in_a_field_sends_nothing_and_a_double_click_once(page: Page, api):
    url = start(api, tools=TOOLS)
    page.goto(url)
    fill(page)
    page.get_by_label("speed").press("Enter")
    expect(page.get_by_role("button", name=SEND)).to_be_enabled()
    page.get_by_role("button", name=SEND).dblclick()
    expect(page.get_by_text("2 outputs sent.")).to_be_visible()
    expect_status(page, "Completed")


def test_a_draft_holds_all_of_the_form(page: Page, api):
    page.goto(start(api, tools=TOOLS))
    fill(page)
    page.get_by_role("checkbox", name="null for note").check()
    weather(page).get_by_role("radio", name="JSON").check()
    expect(page.get_by_text("Draft saved")).to_contain_text("UTC")
    other = page.context.new_page()  # of the same browser
    other.goto(page.url)
    desk = weather(other)
    expect(desk.get_by_role("radio", name="JSON")).to_be_checked()
    desk.get_by_role("radio", name="Form").check()
    expect(other.get_by_label("Temperature")).to_have_value("21.5")
    expect(other.get_by_label("condition")).to_have_value('"rain"')
    expect(other.get_by_role("checkbox", name="null for note")).to_be_checked()


def test_earlier_outputs_are_offered(page: Page, api):
    sea = {"type": "function", "function": {"name": "get_sea", "parameters": {"type": "object"}}}
    tools = [TOOLS[0], sea]
    page.goto(start(api, tools=tools))
    fill(page)
    page.get_by_label("Output of get_sea").fill('{"wave": 12}')
    page.get_by_role("button", name=SEND).click()
    expect_status(page, "Completed")
    url = start(api, tools=tools)
    page.goto(url)
    page.get_by_label("Temperature").fill("3")
    page.get_by_role("button", name="Use a form like earlier outputs").click()
    page.get_by_label("wave").fill("13")
    expect(page.get_by_label("Temperature")).to_have_value("3")
    weather(page).get_by_role("button", name="Use last output").click()
    expect(page.get_by_label("Temperature")).to_have_value("21.5")
    expect(page.get_by_label("wave")).to_have_value("13")
    page.get_by_role("button", name=SEND).click()
    expect_status(page, "Completed")
    assert json.loads(outputs(api, url)["get_sea"]) == {"wave": 13}


def test_the_second_of_two_is_told_who_was_first(page: Page, api, watch, new_context, live):
    url = start(api, tools=TOOLS)
    other = new_context(base_url=live.url).new_page()
    for one in (page, other):
        one.goto(url)
        fill(one)
    page.get_by_role("button", name=SEND).click()
    expect_status(page, "Completed")
    expect(other.get_by_text("takes no outputs")).to_be_visible()
    expect(other.get_by_label("Temperature")).to_have_value("21.5")
    other.evaluate("document.querySelector('.desk [data-send]').disabled = false")
    other.get_by_label("Temperature").fill("5")
    other.get_by_role("button", name=SEND).click()
    expect(other.get_by_text("Other outputs were taken at")).to_contain_text("UTC, by you")
    expect(other.get_by_label("Temperature")).to_have_value("5")


def test_a_deadline_that_passes_keeps_what_was_typed(page: Page, api):
    page.goto(start(api, tools=TOOLS, action_expires_in=6))
    fill(page)
    expired = page.get_by_text("Expired: the run takes no outputs")
    expect(expired).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name=SEND)).to_be_disabled()
    expect_status(page, "Expired")
    expect(page.get_by_label("Temperature")).to_have_value("21.5")
    expect(page.get_by_label("Temperature")).to_be_editable()


def test_what_is_swapped_in_does_not_open_an_expired_desk(page: Page, api):
    """The page may see the deadline pass before the server says so."""
    page.goto(start(api, tools=TOOLS))
    page.locator(".desk [data-until]").evaluate("(time) => { time.dataset.until = 1 }")
    expect(page.get_by_text("Expired: the run takes no outputs")).to_be_visible()
    swapped = "new CustomEvent('htmx:after:swap', { bubbles: true, detail: { ctx: {} } })"
    page.evaluate(f"document.body.dispatchEvent({swapped})")
    expect(page.get_by_role("button", name=SEND)).to_be_disabled()
    expect_status(page, "Needs input")


def test_without_script_the_ways_to_answer_work(
    new_context: Callable[..., BrowserContext], live, api
):
    page = new_context(java_script_enabled=False, base_url=live.url).new_page()
    url = wait_for(api, start(api, tools=TOOLS), "requires_action")
    page.goto(url)
    desk = weather(page)
    desk.get_by_role("radio", name="JSON").check()
    desk.get_by_role("textbox", name="Output of get_weather").fill('{"more": 1}')
    desk.get_by_role("radio", name="Form").check()
    fill(page)
    page.get_by_role("button", name=SEND).click()
    assert json.loads(outputs(api, url)["get_weather"]) == {
        "more": 1, "temperature": 21.5, "condition": "rain",
    }  # fmt: skip


@every_look
def test_how_it_looks(open_page: Page, api, watch):
    watch.allow(422)
    open_page.goto(start(api, tools=TOOLS))
    expect(open_page.get_by_label("Temperature")).to_be_visible()
    found = complaints(open_page) + overflow(open_page)
    open_page.get_by_role("button", name=SEND).click()
    expect(open_page.get_by_text("Nothing was sent.")).to_be_visible()
    found += complaints(open_page) + overflow(open_page)
    open_page.goto("/console/outputs/")
    found += complaints(open_page) + overflow(open_page)
    open_page.get_by_role("link", name="get_weather").click()
    found += complaints(open_page) + overflow(open_page)
    assert found == []


def test_typing_is_not_disturbed_by_two_hundred_frames(page: Page, api):
    url = start(api, model="tools-1-then-text-220x45", tools=TOOLS[:1])
    page.goto(url)
    note = page.get_by_label("note", exact=True)
    note.fill("0123456789")
    note.evaluate("field => field.setSelectionRange(2, 5)")
    run = f"/{url.removeprefix('/console/').rstrip('/')}"
    wanted = api.get(run).json()["required_action"]["submit_tool_outputs"]["tool_calls"]
    body = {"tool_outputs": [{"tool_call_id": call["id"], "output": "theirs"} for call in wanted]}
    api.post(f"{run}/submit_tool_outputs", json=body).raise_for_status()
    expect_status(page, "Completed")
    assert int(page.locator("#cursor").get_attribute("data-number") or 0) > 200
    expect(note).to_be_focused()
    page.keyboard.press("x")
    expect(note).to_have_value("01x56789")
