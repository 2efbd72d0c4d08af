"""Somebody who may read a project, and nothing else."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from tests.browser.steps import TOOLS, expect_status, start, wait_for

#: What an operator finds on which page.
ACTIONS = {
    "run": ("Cancel run", "Rerun", "Rerun with edits", "Send all 2 outputs"),
    "thread": ("Add and run", "Delete…"),
    "runs": ("New run",),
    "assistants": ("New assistant",),
}


@pytest.fixture
def reader(page: Page, new_context, live) -> Iterator[BrowserContext]:
    """The browser of a reader whom the admin has let in."""
    page.goto("/console/members/")
    page.get_by_label("Name (required)").fill("ada")
    page.get_by_label("Role (required)").select_option("reader")
    page.get_by_role("button", name="Add member").click()
    link = page.locator("#login-link").inner_text()
    context = new_context(storage_state=None, base_url=live.url)
    first = context.new_page()
    first.goto(link)
    first.wait_for_url("**/console/")
    first.close()
    yield context
    page.goto("/console/projects/")
    if page.get_by_role("button", name="Work in default").count():
        page.get_by_role("button", name="Work in default").click()
    page.goto("/console/members/")
    page.get_by_role("row", name="ada").get_by_text("Change…").click()
    page.get_by_role("button", name="Remove “ada”").click()


def test_a_reader_watches_and_finds_no_button(reader: BrowserContext, page: Page, api, watch):
    watch.allow(403)
    operator = page
    url = wait_for(api, start(api, tools=TOOLS), "requires_action")
    page = reader.new_page()
    page.goto(url)
    expect_status(page, "Needs input")
    expect(page.locator("#pill")).to_have_text("Live")
    expect(page.get_by_text("Answering them needs the role operator")).to_be_visible()
    places = (url, url.partition("runs/")[0], "/console/runs/", "/console/assistants/")
    for path, actions in zip(places, ACTIONS.values(), strict=True):
        page.goto(path)
        operator.goto(path)
        for action in actions:
            expect(operator.get_by_text(action, exact=True)).to_be_visible()
            expect(page.get_by_text(action, exact=True)).to_have_count(0)
    page.goto("/console/keys/")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    page.goto(url)
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    sent = page.request.post(
        f"{url}cancel/", form={"csrfmiddlewaretoken": token}, headers={"Referer": page.url}
    )
    assert sent.status == 403
    assert "needs the role operator" in sent.text()
    assert wait_for(api, url, "requires_action")  # nobody has cancelled it


def test_the_runs_of_another_project_are_not_there(page: Page, reader, api, live, watch):
    """Neither its pages nor its sockets."""
    watch.allow(404)
    page.goto("/console/projects/")
    page.get_by_label("Name of a new project").fill("elsewhere")
    page.get_by_role("button", name="Create project").click()
    page.goto("/console/runs/new/")
    page.get_by_label("Model", exact=True).fill("runsite/demo")
    page.get_by_label("Message", exact=True).fill("Hello")
    page.get_by_role("button", name="Start run").click()
    expect_status(page, "Completed")
    url = page.url
    page.goto("/console/projects/")
    page.get_by_role("button", name="Work in default").click()
    other = reader.new_page()
    for path in (url, url.partition("runs/")[0], f"{url}events/", f"{url}export.json"):
        assert other.goto(path).status == 404
    session = next(one for one in reader.cookies() if one["name"] == "runsite_session")
    run_id = url.rstrip("/").rpartition("/")[2]
    socket = connect(
        f"ws://127.0.0.1:{live.port}/console/ws/runs/{run_id}/?after=0",
        origin=live.url,
        additional_headers={"Cookie": f"runsite_session={session['value']}"},
        proxy=None,
    )
    with socket, pytest.raises(ConnectionClosedError) as closed:
        socket.recv(20)
    assert closed.value.rcvd.code == 4404
