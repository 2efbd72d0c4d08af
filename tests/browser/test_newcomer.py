"""What somebody finds out who has only the page: by names that they would look for, no docs."""

import os
import re
import subprocess
import sys

from playwright.sync_api import Page, expect

from tests.browser.steps import DEMO, TOOLS, answer, start, wait_for


def open_newest_run(page: Page) -> None:
    """From the start to the run on top of the list."""
    page.goto("/console/")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("row").nth(1).get_by_role("link").click()


def test_why_a_run_failed(page: Page, api):
    wait_for(api, start(api, model="status-401"), "failed")
    page.goto("/console/")
    failed = page.get_by_role("region", name="Failed in 24 hours").get_by_role("listitem")
    expect(failed).to_contain_text("The model's server refused the key")
    failed.get_by_role("link").click()
    expect(page.get_by_role("heading", name="The model's server refused the key")).to_be_visible()
    expect(page.get_by_text("Check RUNSITE_UPSTREAM_KEY.").first).to_be_visible()


def test_which_tool_was_slow(page: Page, api):
    url = start(api, tools=TOOLS, parallel_tool_calls=False)
    answer(api, url, "rain")  # of get_weather, at once
    answer(api, url, "noon", seconds=1)  # of get_time
    wait_for(api, url, "completed")
    open_newest_run(page)
    steps = page.get_by_role("region", name="Steps").get_by_role("listitem")
    slow = steps.filter(has=page.get_by_role("heading", name="get_time")).first
    assert re.search(r"get_time.*Completed.*\d\.\d s", slow.aria_snapshot(), re.DOTALL)
    spent = page.get_by_role("group", name="Where the time went")
    expect(spent).to_contain_text(re.compile(r"slowest get_time \d\.\d s"))
    spent.get_by_role("link", name="get_time").click()
    expect(page.get_by_role("heading", name="get_time")).to_be_visible()


def test_how_to_answer_a_tool_call(page: Page, api):
    wait_for(api, start(api, tools=TOOLS[:1]), "requires_action")
    page.goto("/console/")
    page.get_by_role("region", name="Waiting for you").get_by_role("listitem").get_by_role(
        "link"
    ).click()
    expect(page.get_by_role("heading", name="1 call needs an output")).to_be_visible()
    page.get_by_role("textbox", name="Output of get_weather").fill("21 degrees")
    page.get_by_role("button", name="Send the output").click()
    expect(page.get_by_text("1 output sent.")).to_be_visible()
    expect(page.get_by_role("article")).to_contain_text("get_weather answered: 21 degrees")


def test_how_to_run_it_again_with_another_model(page: Page, api):
    wait_for(api, start(api, model="text-3", text="What is new?"), "completed")
    open_newest_run(page)
    page.get_by_role("link", name="Rerun with edits").click()
    expect(page.get_by_role("textbox", name="Message", exact=True)).to_have_value("What is new?")
    page.get_by_role("combobox", name="Model", exact=True).fill("text-5")
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_role("article")).to_contain_text("w0 w1 w2 w3 w4")
    expect(page.get_by_role("complementary").get_by_text("Rerun of")).to_be_visible()


def test_how_to_call_it_from_code(page: Page, api, live):
    wait_for(api, start(api, model=DEMO, text="Say it in code"), "completed")
    open_newest_run(page)
    page.get_by_role("link", name="Code", exact=True).click()
    code = page.get_by_label("Python code", exact=True).text_content() or ""
    page.get_by_role("link", name="get an API key").click()
    page.get_by_role("textbox", name="Name of a new key").fill("a program")
    page.get_by_role("button", name="Create key").click()
    made = page.get_by_role("status").filter(has_text="The key “a program” is made")
    expect(made.get_by_text(live.base_url)).to_be_visible()
    key = made.get_by_role("code").first.inner_text()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OPENAI_API_KEY": key, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    started = done.stdout.split()[0]
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page).to_have_url(re.compile(rf"/{started}/"))
    expect(page.get_by_text("Say it in code", exact=True)).to_be_visible()
