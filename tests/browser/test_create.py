"""Starting runs in the browser: the form, its preview, and the code that people copy from it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import complaints, every_look, overflow
from tests.browser.steps import DEMO, create_run, expect_status, reload_count, start
from tests.live import LiveServer

NODE = Path(__file__).resolve().parent.parent / "sdk" / "node"
HOSTILE = 'It\'s "$5" `id` $(id) \\n \\ </script> ü 😀'
PROGRAMS = {"Python": (sys.executable, "py"), "Node.js": ("node", "mjs"), "curl": ("sh", "sh")}
#: Of a run's object: what belongs to the one run, not to what it was asked.
OWN = {"id", "thread_id", "created_at", "started_at", "completed_at", "expires_at", "status",
       "usage", "required_action", "cancelled_at", "failed_at", "last_error"}  # fmt: skip


def assistant_of(api: httpx.Client) -> str:
    """An assistant with a function, made through the API; its id."""
    function = {"name": "get_weather", "parameters": {"type": "object"}}
    tools = [{"type": "function", "function": function}, {"type": "file_search"}]
    body = {"model": DEMO, "name": "Helper", "temperature": 0.7, "tools": tools}
    made: str = api.post("/assistants", json=body).raise_for_status().json()["id"]
    return made


def run_at(api: httpx.Client, url: str) -> dict[str, object]:
    """What the API says of the run that a page is about."""
    found = re.search(r"threads/(thread_\w+)/runs/(run_\w+)/", url)
    assert found is not None
    run: dict[str, object] = api.get(f"/threads/{found[1]}/runs/{found[2]}").json()
    return run


def asked(api: httpx.Client, run: dict[str, object]) -> tuple[object, ...]:
    """What a run was asked: its settings and clock, and the messages of its thread."""
    settings = {name: value for name, value in run.items() if name not in OWN}
    said = api.get(f"/threads/{run['thread_id']}/messages", params={"order": "asc"}).json()["data"]
    messages = [(m["role"], m["content"]) for m in said if m["run_id"] is None]
    return settings, messages


def execute(live: LiveServer, name: str, text: str, folder: Path) -> str:
    """Run copied code as its users do; what it printed."""
    program, ending = PROGRAMS[name]
    packages = folder / "node_modules"  # where Node.js looks for them
    if not packages.is_symlink():
        packages.symlink_to(NODE / "node_modules")
    file = folder / f"copied.{ending}"
    file.write_text(text)
    done = subprocess.run(
        [program, str(file)],
        env={**os.environ, "OPENAI_API_KEY": live.key, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def codes(page: Page, within: str) -> dict[str, str]:
    """The code that a page shows, by language."""
    blocks = page.locator(f"{within} .code-choice").all()
    return {
        block.locator("summary").inner_text(): block.locator("pre").text_content() or ""
        for block in blocks
    }


def test_a_run_from_the_form_to_its_end_without_a_reload(page: Page):
    create_run(page, DEMO, "Hello")
    page.wait_for_url("**/threads/**/runs/**")
    loaded = reload_count(page)
    expect_status(page, "Completed")
    assert reload_count(page) == loaded


def test_the_preview_follows_what_is_typed(page: Page, api):
    assistant = assistant_of(api)
    page.goto("/console/runs/new/")
    preview = page.locator("#preview")
    page.get_by_label("Message", exact=True).fill("How is Oslo?")
    expect(preview).to_contain_text('"content": "How is Oslo?"')
    page.get_by_label("Assistant", exact=True).select_option(assistant)
    expect(preview).to_contain_text(assistant)
    page.locator("summary", has_text="Sampling and format").click()
    temperature = page.get_by_label("Temperature", exact=True)
    expect(temperature).to_have_attribute("placeholder", "Inherited: 0.7")
    box = page.get_by_role("checkbox", name="get_weather")
    expect(box).to_be_checked()
    box.uncheck()
    expect(preview).to_contain_text('"tools": [{"type": "file_search"}]')
    temperature.fill("0.2")
    expect(preview).to_contain_text('"temperature": 0.2')
    page.get_by_title("Temperature: take the inherited value").click()
    expect(temperature).to_have_value("")
    expect(preview).not_to_contain_text('"temperature"')
    preview.locator("summary", has_text="curl").click()
    page.get_by_label("Top p", exact=True).fill("5")
    expect(preview).to_contain_text("Not ready to be sent: Top p")
    expect(
        preview.get_by_label("curl code", exact=True)
    ).to_be_visible()  # what was open stays open
    expect(page.get_by_label("Message", exact=True)).to_have_value("How is Oslo?")


def test_a_refused_form_keeps_everything_and_says_where(page: Page, api):
    page.goto(f"/console/runs/new/?assistant={assistant_of(api)}")
    page.get_by_label("Message", exact=True).fill("Kept")
    page.get_by_role("checkbox", name="get_weather").uncheck()
    page.locator("summary", has_text="Metadata").click()
    page.get_by_label("Key 1", exact=True).fill("k")
    page.get_by_label("Value 1", exact=True).fill("v" * 513)
    page.get_by_role("button", name="Add a pair").click()
    expect(page.get_by_label("Key 2", exact=True)).to_be_focused()
    page.get_by_label("Key 2", exact=True).fill("other")
    expect(page.locator("#pairs-used")).to_have_text("2 of 16 pairs")
    page.get_by_role("button", name="Start run").click()
    summary = page.get_by_role("alert").filter(has_text="Nothing was sent.")
    expect(summary).to_be_focused()
    expect(page.get_by_role("checkbox", name="get_weather")).not_to_be_checked()
    expect(page.get_by_label("Message", exact=True)).to_have_value("Kept")
    wrong = page.get_by_label("Value 1", exact=True)
    expect(wrong).to_have_accessible_description(re.compile("maximum length 512"))
    summary.get_by_role("link", name="Value 1").click()
    expect(wrong).to_be_focused()
    wrong.fill("v")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Completed")
    run = run_at(api, page.url)
    assert run["metadata"] == {"k": "v", "other": ""}
    assert run["tools"] == [{"type": "file_search"}]


def test_a_failing_server_keeps_the_form(page: Page, live, watch):
    watch.allow(500)
    error = httpx.get(f"{live.url}/console/nothing/", trust_env=False).text
    page.goto("/console/runs/new/")
    page.get_by_label("Model", exact=True).fill(DEMO)
    page.route(
        "**/runs/new/",
        lambda route: route.fulfill(status=500, content_type="text/html", body=error),
    )
    page.get_by_label("Message", exact=True).fill("typed with care")
    page.get_by_role("button", name="Start run").click()
    page.unroute("**/runs/new/")
    page.goto("/console/runs/new/")
    expect(page.get_by_label("Message", exact=True)).to_have_value("typed with care")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Completed")


def test_the_form_works_without_script(new_context, live, api):
    page = new_context(base_url=live.url, java_script_enabled=False).new_page()
    page.goto(f"/console/runs/new/?assistant={assistant_of(api)}")
    page.get_by_label("Message", exact=True).fill("No script")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text('"content": "No script"')
    page.get_by_role("button", name="Start run").click()
    assert run_at(api, page.url)["status"] in ("queued", "in_progress", "requires_action")


@pytest.mark.node
def test_copied_code_starts_the_same_run(page: Page, api, live, tmp_path):
    page.goto(f"/console/runs/new/?assistant={assistant_of(api)}")
    for label, value in (
        ("Message", f"{HOSTILE}\nsecond line"), ("Instructions", HOSTILE),
        ("Additional instructions", "More."), ("Functions", '[{"type": "code_interpreter"}]'),
    ):  # fmt: skip
        page.get_by_label(label, exact=True).fill(value)
    for part in ("Sampling and format", "Limits", "Metadata"):
        page.locator("summary", has_text=part).click()
    for label, value in (
        ("Temperature", "0.25"), ("Top p", "0.5"), ("Key 1", HOSTILE), ("Value 1", HOSTILE),
        ("Prompt tokens at most", "9000"), ("Last messages", "7"), ("Expires in", "500"),
        ("JSON schema", '{"name": "a", "schema": {"type": "object"}, "strict": true}'),
    ):  # fmt: skip
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Reasoning effort", exact=True).select_option("low")
    page.get_by_label("Tool choice", exact=True).select_option("auto")
    page.get_by_label("Several tool calls at once", exact=True).select_option("false")
    page.get_by_label("If the thread is busy", exact=True).select_option("queue")
    expect(page.locator("#preview")).to_contain_text('"on_active_run": "queue"')
    expect(page.locator("#preview")).not_to_contain_text("Not ready")
    expect(page.locator("#preview")).to_contain_text('"expires_in": 500')
    from_form = codes(page, "#preview")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Needs input")
    original = run_at(api, page.url)
    page.get_by_role("link", name="Code", exact=True).click()
    from_run = codes(page, ".run-code")
    assert set(from_form) == set(from_run) == {"Python", "Node.js", "curl"}
    for shown in (from_form, from_run):
        for name, text in shown.items():
            printed = execute(live, name, text, tmp_path)
            found = re.search(r"run_\w+", printed)
            assert found is not None, printed
            listed = api.get("/runs", params={"limit": 1}).json()["data"][0]
            assert listed["id"] == found[0]
            assert asked(api, listed) == asked(api, original), name
            assert listed["expires_at"] - listed["created_at"] == 500


@pytest.mark.node
def test_copied_outputs_are_answered_as_the_first_time(page: Page, api, live, tmp_path):
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    page.goto(start(api, tools=tools))
    page.get_by_label("Output of get_weather").fill(HOSTILE)
    page.get_by_role("button", name="Send the output").click()
    expect_status(page, "Completed")
    run = run_at(api, page.url)
    page.get_by_role("link", name="Code", exact=True).click()
    shown = codes(page, "section")
    assert set(shown) == {"Python", "Node.js", "curl"}
    for name, text in shown.items():
        assert str(run["id"]) in execute(live, name, text, tmp_path)


def test_a_run_is_run_again_edited_and_compared(page: Page, api):
    page.goto(start(api, text="Tell me"))
    expect_status(page, "Completed")
    original = run_at(api, page.url)
    page.get_by_role("button", name="Rerun", exact=True).click()
    page.wait_for_url(lambda url: str(original["id"]) not in url)
    expect_status(page, "Completed")
    assert asked(api, run_at(api, page.url)) == asked(api, original)
    page.get_by_role("link", name="Rerun with edits").click()
    message = page.get_by_label("Message", exact=True)
    expect(message).to_have_value("Tell me")
    message.fill("Tell me more")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Completed")
    page.get_by_role("complementary").get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Settings that differ")).to_be_visible()
    expect(page.get_by_text("Different").first).to_be_visible()


@every_look
def test_the_pages_are_accessible(open_page: Page, api):
    open_page.goto(f"/console/runs/new/?assistant={assistant_of(api)}")
    open_page.get_by_label("Message", exact=True).fill("Hello")
    expect(open_page.locator("#preview")).to_contain_text('"content": "Hello"')
    open_page.evaluate(
        "document.querySelectorAll('form details').forEach(part => { part.open = true })"
    )
    found = complaints(open_page) + overflow(open_page)
    runs = [start(api, text="One"), start(api, text="Two", temperature=0.5)]
    for url in runs:
        open_page.goto(url)
        expect_status(open_page, "Completed")
    ids = [url.rstrip("/").rpartition("/")[2] for url in runs]
    for path in (
        f"{runs[0]}code/",
        f"/console/compare/?a={ids[0]}",
        f"/console/compare/?a={ids[0]}&b={ids[1]}",
    ):
        open_page.goto(path)
        found += complaints(open_page) + overflow(open_page)
    assert found == []
