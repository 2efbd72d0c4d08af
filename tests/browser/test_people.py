"""Coming in, staying in, and what two people or no script mean."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import DEMO, TOOLS, create_run, expect_status, start, stored_text

HOSTILE = (
    "<img src=https://evil.example/x onerror=alert(1)> </hx-partial><script>alert(2)</script> "
    "[a](javascript:alert(3)) ![b](https://evil.example/b.png) <b>bold</b>"
)


def test_a_login_link_leads_in_and_leaves_no_trace(new_context, live):
    link = live.manage("login_link").stdout
    found = re.search(r"http\S+#\S+", link)
    assert found, link
    page = new_context(storage_state=None).new_page()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(found[0])
    page.wait_for_url("**/console/")
    assert not any(found[0].rpartition("#")[2] in url for url in sent)


def test_a_sign_out_in_one_tab_is_told_in_the_others(new_context, live, api, watch):
    watch.allow(401)  # the list keeps asking until it learns
    url = start(api, tools=TOOLS)
    link = re.search(r"http\S+#\S+", live.manage("login_link").stdout)
    assert link is not None
    context = new_context(storage_state=None, base_url=live.url)
    first, run, runs = (context.new_page() for _ in range(3))
    first.goto(link[0])
    first.wait_for_url("**/console/")
    run.goto(url)
    expect(run.locator("#pill")).to_have_text("Live")
    runs.goto("/console/runs/")
    first.get_by_role("button", name="Sign out").click()
    for page in (run, runs):
        link_in = page.get_by_role("link", name="Sign in again")
        expect(link_in).to_be_visible()
        expect(page.locator("main")).to_be_hidden()
    link_in.click()
    expect(runs).to_have_url(re.compile(r"/login/\?next=%2Fconsole%2Fruns%2F$"))
    expect(run.locator("#pill")).to_have_text("Sign in again")


def test_a_used_link_says_what_to_do(new_context, live, watch):
    watch.allow(400)
    page = new_context(storage_state=None).new_page()
    page.goto(f"{live.url}/console/enter/#used")
    expect(page.get_by_role("alert").first).to_contain_text("used already")


def test_an_expired_session_keeps_what_was_typed(page: Page, api, watch):
    watch.allow(401)
    url = start(api, tools=TOOLS)
    page.goto(url)
    field = page.get_by_label("Output of get_weather")
    field.fill("typed with care")
    cookies = page.context.cookies()
    page.context.clear_cookies(name="runsite_session")
    page.get_by_role("button", name="Send all 2 outputs").click()
    toast = page.get_by_role("alert").filter(has_text="Your session has ended")
    expect(toast.get_by_role("link", name="Sign in again")).to_be_visible()
    expect(field).to_have_value("typed with care")
    page.context.add_cookies(cookies)
    page.get_by_role("button", name="Send all 2 outputs").click()
    expect_status(page, "Completed")


def test_what_could_not_be_sent_can_be_tried_again(page: Page, api, watch):
    watch.allow(500)
    page.goto(start(api, tools=TOOLS))
    page.get_by_label("Output of get_weather").fill("typed with care")
    page.route("**/outputs/", lambda route: route.fulfill(status=500), times=1)
    page.get_by_role("button", name="Send all 2 outputs").click()
    toast = page.get_by_role("alert").filter(has_text="The server could not do this (500)")
    expect(page.get_by_label("Output of get_weather")).to_have_value("typed with care")
    toast.get_by_role("button", name="Try again").click()
    expect_status(page, "Completed")
    expect(page.locator("#toast")).to_be_empty()


def test_somebody_who_may_no_longer_act_is_told_so(page: Page, api, watch):
    watch.allow(403)
    page.goto(start(api, tools=TOOLS))
    told = "Your role in this project is reader. This needs the role operator."
    page.route(
        "**/outputs/",
        lambda route: route.fulfill(status=403, content_type="text/plain", body=told),
        times=1,
    )
    page.get_by_role("button", name="Send all 2 outputs").click()
    expect(page.locator("#toast")).to_contain_text(f"{told} What you typed is kept.")


def test_a_message_sent_after_the_session_ended_is_there_after_signing_in(page: Page, api):
    url = start(api)
    page.goto(url)
    expect_status(page, "Completed")  # a busy thread takes no message
    page.goto(url.partition("runs/")[0])
    page.get_by_role("textbox", name="Message").fill("typed with care")
    cookies = page.context.cookies()
    page.context.clear_cookies(name="runsite_session")
    page.get_by_role("button", name="Add only").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.context.add_cookies(cookies)
    page.reload()  # who is signed in is sent on to where they were
    box = page.get_by_role("textbox", name="Message")
    expect(box).to_have_value("typed with care")
    page.get_by_role("button", name="Add only").click()
    expect(page.locator(".entry").last).to_contain_text("typed with care")
    expect(box).to_have_value("")


def test_a_page_whose_session_ended_says_so(new_context, proxy, watch, api):
    watch.allow_lost_connections()
    page = new_context(base_url=proxy.url).new_page()
    page.goto(start(api, model="text-2000x20"))
    expect(page.locator("#pill")).to_have_text("Live")
    page.context.clear_cookies(name="runsite_session")
    proxy.cut()
    expect(page.locator("#pill")).to_have_text("Sign in again")
    page.wait_for_timeout(1500)  # and it does not try for ever
    expect(page.locator("#pill")).to_have_text("Sign in again")


def test_what_was_typed_survives_a_reload(page: Page, api):
    page.goto(start(api, tools=TOOLS))
    page.get_by_label("Output of get_time").fill("kept")
    page.reload()
    expect(page.get_by_label("Output of get_time")).to_have_value("kept")


def test_of_two_people_the_second_is_told(page: Page, api):
    url = start(api, tools=TOOLS, text="Hello #rounds 2")
    page.goto(url)
    other = page.context.new_page()
    other.goto(url)
    other.get_by_label("Output of get_weather").fill("my own")
    page.get_by_label("Output of get_weather").fill("first")
    page.get_by_role("button", name="Send all 2 outputs").click()
    expect(other.get_by_text("first", exact=True).first).to_be_visible()
    expect_status(other, "Needs input")  # the second round: its form takes the place of the first
    expect(other.get_by_role("textbox", name="Output of get_weather")).to_have_value("")


def test_a_form_for_a_run_that_was_cancelled_keeps_its_text(page: Page, api):
    url = start(api, tools=TOOLS)
    page.goto(url)
    field = page.get_by_label("Output of get_weather")
    field.fill("typed")
    api.post(f"/{url.removeprefix('/console/').rstrip('/')}/cancel").raise_for_status()
    expect_status(page, "Cancelled")
    expect(page.get_by_text("takes no outputs")).to_be_visible()
    expect(field).to_have_value("typed")
    expect(page.get_by_role("button", name="Send all 2 outputs")).to_be_disabled()


def test_a_failing_server_keeps_what_was_typed(page: Page, api, watch):
    watch.allow(500)
    page.goto(start(api, tools=TOOLS))
    field = page.get_by_label("Output of get_weather")
    field.fill("typed")
    page.route(
        "**/outputs/", lambda route: route.fulfill(status=500, headers={"x-request-id": "r1"})
    )
    page.get_by_role("button", name="Send all 2 outputs").click()
    expect(page.get_by_role("alert").filter(has_text="Request r1")).to_be_visible()
    expect(field).to_have_value("typed")
    page.unroute("**/outputs/")
    page.get_by_role("button", name="Send all 2 outputs").click()
    expect_status(page, "Completed")
    expect(page.locator("#toast")).to_be_empty()
    expect(page.locator(".note")).to_be_focused()


def test_hostile_text_stays_text(page: Page, api):
    hostile_tools = [
        {"type": "function", "function": {"name": "f", "description": HOSTILE, "parameters": {}}}
    ]
    url = start(
        api, text=f"#rounds 0 #say {HOSTILE}", tools=hostile_tools, instructions=HOSTILE,
        metadata={HOSTILE[:60]: HOSTILE},
    )  # fmt: skip
    page.goto(url)
    expect_status(page, "Completed")
    assert page.locator("[id$=-stored]").text_content() == stored_text(api, url)
    assert page.locator("main img, main script, main b b").count() == 0
    page.goto(url.partition("runs/")[0])
    expect(page.locator(".entry.assistant")).to_contain_text("<img src=")
    page.goto("/console/threads/")
    expect(page.get_by_role("table")).to_contain_text("onerror")


def test_a_thread_that_the_admin_erases_stays_on_an_open_page(page: Page, api):
    url = start(api, model="text-2000x20")
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w5")
    thread = url.split("/")[3]
    admin = page.context.new_page()
    admin.goto(f"/admin/runs/thread/?q={thread}")
    admin.get_by_role("link", name=thread).click()
    admin.get_by_role("button", name="Erase (counts first)").click()
    expect(admin.get_by_text("1 with an active run will be kept.")).to_be_visible()
    admin.get_by_role("button", name="Cancel their runs first, and count again").click()
    admin.get_by_role("button", name="Erase", exact=True).click()
    expect(admin.get_by_text("It is done.")).to_be_visible()  # comes anew by itself
    # The run is cancelled and then erased: the page may learn of the first before the second.
    expect(page.locator("#pill")).to_have_text(re.compile("^(Finished|Deleted)$"))
    expect(page.locator(".message")).to_contain_text("w5")
    assert api.get(f"/threads/{thread}").status_code == 404


def test_a_thread_deleted_under_a_run_is_told_and_its_page_kept(page: Page, api):
    url = start(api, model="text-2000x20")
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("w5")
    api.delete(f"/threads/{url.split('/')[3]}").raise_for_status()
    expect(page.locator("#pill")).to_have_text("Deleted")
    expect(page.locator("#toast")).to_contain_text("What is shown is kept.")
    expect(page.locator(".message")).to_contain_text("w5")


def test_the_admin_erases_several_after_asking(page: Page, api):
    threads = [api.post("/threads", json={}).json()["id"] for _ in range(2)]
    page.goto("/admin/runs/thread/")
    for thread in threads:
        page.get_by_role("row", name=thread).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("erase")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("row", name="Threads 2 0")).to_be_visible()
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_text("It is done.")).to_be_visible()
    expect(page.get_by_role("row", name="Threads 2 2")).to_be_visible()
    assert api.get(f"/threads/{threads[0]}").status_code == 404


def test_without_script_a_run_is_read_answered_and_cancelled(new_context, live, api):
    page = new_context(java_script_enabled=False, base_url=live.url).new_page()
    create_run(page, DEMO, "Hello", str(TOOLS).replace("'", '"'))
    refresh_until(page, "Needs input")
    page.get_by_label("Output of get_weather").fill("mild")
    page.get_by_role("button", name="Send all 2 outputs").click()
    refresh_until(page, "Completed")
    expect(page.locator(".call").first).to_contain_text("mild")
    page.goto(start(api, model="text-2000x20"))
    page.get_by_role("button", name="Cancel run").click()
    refresh_until(page, "Cancelled")


def refresh_until(page: Page, word: str) -> None:
    """Follow the link "Refresh" until the run's page says so."""
    for _ in range(50):
        if page.locator("#run-head .badge").inner_text() == word:
            return
        page.get_by_role("link", name="Refresh").click()
    expect(page.locator("#run-head .badge")).to_have_text(word)


@pytest.mark.parametrize("chosen", ["Dark", "Light"])
def test_a_chosen_theme_stays(page: Page, chosen):
    page.goto("/console/runs/")
    page.get_by_role("button", name=f"{chosen} theme").click()
    page.goto("/console/keys/")
    expect(page.locator("html")).to_have_attribute("data-theme", chosen.lower())


def test_keys_and_projects(page: Page, api):
    page.goto("/console/keys/")
    page.get_by_label("Name of a new key").fill("for a test")
    page.get_by_role("button", name="Create key").click()
    key = page.locator("#new-key").inner_text()
    given = {"Authorization": f"Bearer {key}"}
    assert api.get("/assistants", headers=given).status_code == 200
    row = page.get_by_role("row", name="for a test")
    row.get_by_text("Revoke…").click()
    row.get_by_role("button", name="Revoke “for a test”").click()
    assert api.get("/assistants", headers=given).status_code == 401
    page.goto("/console/projects/")
    page.get_by_label("Name of a new project").fill("Another")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_text("You now work in the project “Another”.")).to_be_visible()
    page.goto("/console/runs/")
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
    page.goto("/console/projects/")
    page.get_by_role("button", name="Work in default").click()
    expect(page.get_by_text("You now work in the project “default”.")).to_be_visible()
