"""axe finds nothing to complain about: every page, both themes, phone and desktop."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from runs.console.urls import urlpatterns
from tests.browser.axe import complaints, every_look, overflow
from tests.browser.steps import TOOLS, create_run, expect_status, start, wait_for

MARKDOWN = "#say **bold** `code` [a link](https://example.com)"


@pytest.fixture(scope="module")
def urls(live: Any) -> dict[str, str]:
    """Runs in every state that a page looks different in."""
    with httpx.Client(base_url=live.base_url, headers=live.headers(), trust_env=False) as api:
        return {
            "Completed": start(api, text=MARKDOWN, instructions="Be brief.", metadata={"a": "b"}),
            "Failed": start(api, text="#fail rate_limit_exceeded"),
            "Incomplete": start(api, text="#length"),
            "Needs input": start(api, tools=TOOLS, text="Hello #rounds 2"),
            "Running": start(api, model="text-3000x50"),
        }


@every_look
@pytest.mark.parametrize("status", ["Completed", "Failed", "Incomplete", "Needs input", "Running"])
def test_a_run(open_page: Page, urls: dict[str, str], status: str):
    open_page.goto(urls[status])
    expect_status(open_page, status)
    assert complaints(open_page) + overflow(open_page) == []


@pytest.fixture(scope="module")
def rows(live: Any) -> dict[str, str]:
    """Runs in the states that pass quickly, and one whose page fails."""
    done = live.manage(
        "shell", "--no-imports", "-c", "from tests.browser import rows; rows.write()"
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@every_look
def test_runs_in_passing_states(open_page: Page, rows: dict[str, str]):
    found = []
    for status in ("Queued", "Cancelling", "Cancelled", "Expired"):
        open_page.goto(rows[status])
        expect_status(open_page, status)
        found += complaints(open_page) + overflow(open_page)
    open_page.goto(rows["Interrupted"])
    expect(open_page.get_by_text("Interrupted, run again")).to_be_visible()
    found += complaints(open_page) + overflow(open_page)
    open_page.goto(rows["Answered"])
    expect(open_page.get_by_text("slowest look_up")).to_be_visible()
    assert found + complaints(open_page) + overflow(open_page) == []


@every_look
def test_error_pages(open_page: Page, rows: dict[str, str], watch):
    watch.allow(403, 404, 500)
    found = []
    for path in (rows["Broken"], "/console/nothing/"):
        open_page.goto(path)
        expect(open_page.get_by_text("Request req_")).to_be_visible()
        found += complaints(open_page) + overflow(open_page)
    open_page.goto("/console/password/")
    open_page.context.clear_cookies(name="runsite_csrf")
    open_page.get_by_role("button", name="Set password").click()
    expect(open_page.get_by_role("heading", name="Not allowed")).to_be_visible()
    assert found + complaints(open_page) + overflow(open_page) == []


KINDS = ["runs/assistant", "runs/message", "runs/project", "runs/run", "runs/runstep",
         "runs/toolcall", "runs/apikey", "auth/user"]  # fmt: skip


@every_look
def test_everything_the_admin_shows(open_page: Page, urls: dict[str, str]):
    found = []
    for kind in KINDS:
        open_page.goto(f"/admin/{kind}/")
        found += complaints(open_page)
        open_page.locator("#result_list tbody th a").first.click()
        expect(open_page.get_by_role("heading", level=1)).to_contain_text("View")
        found += complaints(open_page)
    assert found == []


@every_look
def test_the_admin(open_page: Page, urls: dict[str, str]):
    found = []
    paths = ["", "sessions/session/", "runs/cleanup/leftovers/", "runs/cleanup/storage/",
             "runs/idempotencykey/", "runs/apikey/", "runs/thread/?q=nothing"]  # fmt: skip
    for path in paths:
        open_page.goto(f"/admin/{path}")
        found += complaints(open_page)
    open_page.goto("/admin/runs/thread/")
    found += complaints(open_page)
    first = open_page.locator("#result_list").get_by_role("row").nth(1)
    first.get_by_role("checkbox").check()
    open_page.get_by_label("Action:").select_option("erase")
    open_page.get_by_role("button", name="Go", exact=True).click()
    expect(open_page.get_by_text("It is planned.")).to_be_visible()
    found += complaints(open_page)
    open_page.goto("/admin/runs/run/")
    open_page.locator("#result_list tbody th a").first.click()
    open_page.get_by_role("button", name="Kick (have them driven)").click()
    expect(open_page.get_by_role("button", name="Kick 1 runs")).to_be_visible()
    found += complaints(open_page)
    open_page.goto("/admin/runs/cleanup/")
    expect(open_page.get_by_role("cell", name="planned").first).to_be_visible()
    assert found + complaints(open_page) == []


#: Routes that show no page of their own: forms, files, parts of pages, ways on.
NO_PAGE = {
    "export-runs", "views", "view", "runs-live", "preview-run", "go", "short", "delete-thread",
    "add-message", "export", "step-text", "cancel", "rerun", "outputs", "fill-outputs",
    "delete-assistant", "restore-assistant", "import-prices", "price", "revoke", "member",
    "member-link", "choose-project", "logout", "theme", "output-schema",
}  # fmt: skip
#: Seen by test_signing_in_and_errors, and from a list of runs below.
ELSEWHERE = {"enter", "login", "bulk"}


@pytest.fixture(scope="module")
def pages(live: Any, urls: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """The addresses of every page, by its route."""
    with httpx.Client(base_url=live.base_url, headers=live.headers(), trust_env=False) as api:
        run = wait_for(api, urls["Completed"], "completed")
        path = run.removeprefix("/console").rstrip("/")
        assistant = api.get(path).json()["assistant_id"]
        step = api.get(f"{path}/steps").json()["data"][0]["id"]
    ids = [url.rstrip("/").rpartition("/")[2] for url in (run, urls["Failed"])]
    return {
        "overview": ("/console/",),
        "inbox": ("/console/inbox/",),
        "runs": ("/console/runs/", "/console/runs/?status=expired", "/console/runs/?status=wrong"),
        "new-run": ("/console/runs/new/", f"/console/runs/new/?from_run={ids[0]}"),
        "compare": (f"/console/compare/?a={ids[0]}", f"/console/compare/?a={ids[0]}&b={ids[1]}"),
        "threads": ("/console/threads/", "/console/threads/?q=nothing"),
        "thread": tuple(urls[one].partition("runs/")[0] for one in ("Completed", "Running")),
        "run": (f"{run}?view=compact", f"{run}?view=json", f"{run}?find=bold"),
        "events": (f"{run}events/",),
        "step": (f"{run}steps/{step}/",),
        "run-code": (f"{run}code/",),
        "assistants": ("/console/assistants/",),
        "new-assistant": ("/console/assistants/new/",),
        "assistant": (f"/console/assistants/{assistant}/",),
        "assistant-versions": (f"/console/assistants/{assistant}/versions/",),
        "output-schemas": ("/console/outputs/",),
        "usage": ("/console/usage/",),
        "prices": ("/console/prices/",),
        "keys": ("/console/keys/",),
        "members": ("/console/members/",),
        "projects": ("/console/projects/",),
        "settings": ("/console/settings/",),
        "password": ("/console/password/",),
    }


def test_every_route_is_looked_at(pages: dict[str, tuple[str, ...]]):
    assert {pattern.name for pattern in urlpatterns} == {*pages, *NO_PAGE, *ELSEWHERE}


@every_look
def test_every_page(open_page: Page, pages: dict[str, tuple[str, ...]], watch):
    watch.allow(400)  # a filter that there is not
    found = []
    for path in itertools.chain.from_iterable(pages.values()):
        open_page.goto(path)
        found += complaints(open_page) + overflow(open_page)
    open_page.goto("/console/runs/")
    open_page.get_by_role("checkbox", name="Select run_").first.check()
    open_page.evaluate("scrollTo(0, document.body.scrollHeight)")  # the bar lies over no row there
    found += complaints(open_page) + overflow(open_page)
    open_page.get_by_role("button", name="Delete…").click()
    expect(open_page.get_by_role("heading", level=1)).to_contain_text("Delete")
    assert found + complaints(open_page) + overflow(open_page) == []


@every_look
def test_refused_forms(open_page: Page, urls: dict[str, str], watch):
    watch.allow(422)
    create_run(open_page, model="", message="", tools="[")
    expect(open_page.get_by_text("Nothing was sent.")).to_be_visible()
    found = complaints(open_page) + overflow(open_page)
    open_page.goto(urls["Running"].partition("runs/")[0])
    open_page.evaluate("document.querySelector('.composer').requestSubmit()")
    expect(open_page.get_by_text("Nothing was sent.")).to_be_visible()
    found += complaints(open_page) + overflow(open_page)
    assert found == []


@every_look
def test_a_refused_desk_and_a_toast(open_page: Page, api: httpx.Client, watch):
    watch.allow(500)
    open_page.goto(start(api, tools=TOOLS, text="Hello #rounds 2"))
    field = open_page.get_by_label("Output of get_weather")
    field.evaluate("(field, length) => { field.value = 'x'.repeat(length) }", 300_000)
    open_page.get_by_role("button", name="Send all 2 outputs").click()
    expect(open_page.get_by_text("An output has at most").first).to_be_visible()
    found = complaints(open_page)
    open_page.route("**/outputs/", lambda route: route.fulfill(status=500))
    open_page.get_by_role("button", name="Send all 2 outputs").click()
    expect(open_page.get_by_text("The server could not do this (500)")).to_be_visible()
    found += complaints(open_page) + overflow(open_page)
    assert found == []


@every_look
def test_a_new_key_and_the_empty_console(open_page: Page, watch):
    open_page.goto("/console/keys/")
    open_page.get_by_label("Name of a new key").fill("axe")
    open_page.get_by_role("button", name="Create key").click()
    expect(open_page.locator("#new-key")).to_be_visible()
    found = complaints(open_page) + overflow(open_page)
    open_page.goto("/console/projects/")
    found += complaints(open_page) + overflow(open_page)
    open_page.get_by_label("Name of a new project").fill(f"empty {id(open_page)}")
    open_page.get_by_role("button", name="Create project").click()
    for path in ("/console/runs/", "/console/threads/", "/console/keys/"):
        open_page.goto(path)
        found += complaints(open_page) + overflow(open_page)
    open_page.goto("/console/projects/")
    open_page.get_by_role("button", name="Work in default").click()
    assert found == []


@every_look
def test_signing_in_and_errors(
    open_page: Page, new_context: Callable[..., BrowserContext], live: Any, watch
):
    watch.allow(400, 404)
    open_page.goto("/console/r/run_unknown/")
    found = complaints(open_page) + overflow(open_page)
    open_page.context.clear_cookies(name="runsite_session")
    for path in ("/console/login/", "/console/enter/", "/console/enter/#wrong"):
        open_page.goto("about:blank")
        open_page.goto(path)
        if "#" in path:
            expect(open_page.get_by_role("alert").first).to_contain_text("used already")
        found += complaints(open_page) + overflow(open_page)
    open_page.get_by_role("link", name="Use a password").click()
    open_page.get_by_label("User name").fill("nobody")
    open_page.get_by_label("Password").fill("wrong")
    open_page.get_by_role("button", name="Sign in").click()
    expect(open_page.get_by_text("No active operator")).to_be_visible()
    found += complaints(open_page) + overflow(open_page)
    assert found == []
