"""What others wrote is shown as text, wherever it stands: models, tools, clients, upstreams."""

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import expect_status, stored_text, wait_for
from tests.upstream import Upstream
from tests.upstream_script import call, finish, gate, status, text

#: Each would set ``hacked``, ask another host, or break out of where it stands, if it were markup.
CORPUS = [
    "<script>hacked=1</script>",
    "<img src=//evil.example/a.png onerror=hacked=1>",
    '"><svg onload=hacked=1>',
    "' autofocus onfocus='hacked=1",
    "</div></td></table></hx-partial><hx-partial hx-target=body>gone</hx-partial>",
    "</textarea></title></style></template><iframe src=javascript:parent.hacked=1></iframe>",
    "[link](javascript:hacked=1) [data](data:text/html,<script>hacked=1</script>)",
    "![picture](https://evil.example/b.png) <https://evil.example/c>",
    "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
    "<a href=javascript:hacked=1 onclick=hacked=1>press</a><form action=//evil.example>",
    "{{ 7|add:7 }} {% debug %} ${hacked=1} \\u003cscript\\u003e &lt;b&gt;",
    "<style>body{display:none}@import '//evil.example/d.css'</style>",
]
TURNED = "\u202edetnuocsid\u202c \u2066x\u2069 \U000e0041"  # turns what follows; tags show nothing
HOSTILE = "\n\n".join([*CORPUS, TURNED])
SHORT = f"<img src=//evil.example onerror=hacked=1>\u202e{'x' * 12}"
TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": HOSTILE[:1000],
        "parameters": {"type": "object", "properties": {SHORT: {"description": HOSTILE[:500]}}},
    },
}

#: Elements and attributes that none of our pages has, or has elsewhere.
FOREIGN = """() => {
    const said = window.hacked ? ["a script ran"] : [];
    const ours = (e) => /^\\/(static|admin)\\//.test(new URL(e.src || "about:blank").pathname);
    const names = /^(iframe|base|object|embed|style|hx-partial|frame|video|audio)$/;
    for (const e of document.querySelectorAll("*")) {
        const name = e.localName;
        const data = e.type === "application/json" && !e.src;
        if (names.test(name) || e.httpEquiv) said.push(name);
        if (/^(script|img)$/.test(name) && !data && !ours(e)) said.push(e.outerHTML.slice(0, 99));
        for (const { name: key, value } of e.attributes) {
            const leads = /^(href|src|action|formaction|xlink:href)$/.test(key) && name !== "link";
            const active = leads && /^\\s*(javascript|data|vbscript):/i.test(value);
            if (/^(on|hx-on)/.test(key) || active) said.push(`${name} ${key}=${value}`);
        }
    }
    return said;
}"""
#: Characters that turn or hide text where a person reads it; but for what a field holds.
UNSHOWN = """() => {
    const turning = /[\\u202a-\\u202e\\u2066-\\u2069]|\\udb40[\\udc00-\\udc7f]/;
    const said = turning.test(document.title) ? ["title"] : [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const parent = node.parentElement;
        if (parent.closest("textarea, template, script") || !turning.test(node.data)) continue;
        const shown = getComputedStyle(parent, "::before").content.replaceAll("\\\\", "");
        const alone = parent.matches("bdi[data-as]") && [...node.data].length === 1;
        const named = alone && shown === `"${parent.dataset.as.slice(1)}"`;
        if (!named) said.push(parent.outerHTML.slice(0, 160));
    }
    for (const e of document.querySelectorAll("[title], [aria-label], [placeholder]"))
        for (const key of ["title", "aria-label", "placeholder"])
            if (turning.test(e.getAttribute(key) || "")) said.push(`${key}: ${e.outerHTML}`);
    return said;
}"""


def wrongs(page: Page) -> list[str]:
    """What on the page has become more than text, or is not what it looks like."""
    found = [*page.evaluate(FOREIGN), *page.evaluate(UNSHOWN)]
    return [f"{page.url}: {what}" for what in found]


@pytest.fixture(autouse=True)
def no_dialogs(page: Page, watch: Any) -> None:
    """A dialog is a script's."""
    page.on("dialog", lambda dialog: watch.found.append(f"dialog: {dialog.message}"))


@pytest.fixture(scope="module")
def api_of_all(live: Any) -> Any:
    with httpx.Client(base_url=live.base_url, headers=live.headers(), trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def assistant(api_of_all: httpx.Client) -> str:
    """An assistant that is hostile all over; its id."""
    body = {
        "model": SHORT, "name": HOSTILE[:256], "description": HOSTILE[:512],
        "instructions": HOSTILE, "tools": [TOOL], "metadata": {SHORT[:64]: HOSTILE[:512]},
    }  # fmt: skip
    made = api_of_all.post("/assistants", json=body).raise_for_status().json()
    return str(made["id"])


def begin(api: httpx.Client, assistant: str) -> str:
    """Start a run of the hostile assistant; the path of its page."""
    thread = {
        "messages": [{"role": "user", "content": HOSTILE, "metadata": {"m": HOSTILE[:512]}}],
        "metadata": {SHORT[:64]: HOSTILE[:512]},
    }
    body = {
        "assistant_id": assistant, "thread": thread, "metadata": {SHORT[:64]: HOSTILE[:512]},
    }  # fmt: skip
    run = api.post("/threads/runs", json=body).raise_for_status().json()
    return f"/console/threads/{run['thread_id']}/runs/{run['id']}/"


def answer(api: httpx.Client, url: str) -> None:
    """Send a hostile output for all calls of a run."""
    path = f"/{url.removeprefix('/console/').rstrip('/')}"
    wanted = api.get(path).json()["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": each["id"], "output": HOSTILE} for each in wanted]
    api.post(f"{path}/submit_tool_outputs", json={"tool_outputs": outputs}).raise_for_status()


def calls() -> list[dict[str, Any]]:
    """A call with a hostile id and hostile arguments, in fragments."""
    arguments = json.dumps({SHORT: HOSTILE}, ensure_ascii=False)
    return [
        call("", call_id=f"call_{SHORT}"[:64], name="f"),
        call(arguments[:90]), call(arguments[90:]), finish("tool_calls"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ended(api_of_all: httpx.Client, assistant: str, upstream: Upstream) -> dict[str, str]:
    """Hostile runs that wait, have completed and have failed; the paths of their pages."""
    upstream.play(calls(), [text(HOSTILE), finish()])
    completed = wait_for(api_of_all, begin(api_of_all, assistant), "requires_action")
    answer(api_of_all, completed)
    wait_for(api_of_all, completed, "completed")
    upstream.play([status(400, {"error": {"message": HOSTILE, "code": SHORT, "type": SHORT}})])
    failed = wait_for(api_of_all, begin(api_of_all, assistant), "failed")
    upstream.play([call("{}", name=SHORT), finish("tool_calls")])
    unknown = wait_for(api_of_all, begin(api_of_all, assistant), "failed")
    upstream.play(calls())
    waits = wait_for(api_of_all, begin(api_of_all, assistant), "requires_action")
    return {"completed": completed, "failed": failed, "unknown": unknown, "waits": waits}


def test_a_run_that_is_watched_shows_text_only(page: Page, api, assistant, upstream):
    upstream.play(
        [text("".join(CORPUS[:6])), text(HOSTILE), gate("go"), *calls()],
        [text(HOSTILE[:300]), text(HOSTILE[300:]), gate("end"), finish()],
    )
    url = begin(api, assistant)
    page.goto(url)
    expect(page.locator(".writing")).to_contain_text("@import")
    found = wrongs(page)
    upstream.open("go")
    expect_status(page, "Needs input")
    found += wrongs(page)
    answer(api, url)
    expect(page.locator(".writing")).to_contain_text("@import")
    found += wrongs(page)
    upstream.open("end")
    expect_status(page, "Completed")
    expect(page.locator("#pill")).to_have_text("Finished")
    assert found + wrongs(page) == []
    assert page.locator("[id$=-stored]").last.text_content() == stored_text(api, url) == HOSTILE
    shown = page.locator(".markdown").last
    expect(shown).to_contain_text("<script>hacked=1</script>")
    links = shown.locator("a").evaluate_all("links => links.map(a => a.protocol)")
    assert set(links) == {"https:"}
    page.get_by_text("[link](javascript:hacked=1)").last.click()
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("kind", ["completed", "failed", "unknown", "waits"])
def test_all_pages_of_a_run(page: Page, ended: dict[str, str], kind: str):
    url = ended[kind]
    run_id = url.rstrip("/").rpartition("/")[2]
    found = []
    for tail in ("", "?view=compact", "?view=events", "events/?after=0", "code/", "?view=json"):
        page.goto(f"{url}{tail}")
        for part in page.locator("main details:not([open]) > summary").all():
            if part.is_visible():
                part.click()
        found += wrongs(page)
    other = ended["completed"].rstrip("/").rpartition("/")[2]
    page.goto(f"/console/compare/?a={run_id}&b={other}&pair=1")
    found += wrongs(page)
    page.goto(url)
    for step in page.locator("#steps > li").all():
        page.goto(f"{url}steps/{step.get_attribute('id')}/")
        found += wrongs(page)
        page.goto(url)
    page.goto(url.partition("runs/")[0])
    assert found + wrongs(page) == []
    expect(page.locator(".entry").first).to_contain_text("<script>hacked=1</script>")


def test_every_list_and_form(page: Page, ended: dict[str, str], assistant: str):
    run_id = ended["completed"].rstrip("/").rpartition("/")[2]
    found = []
    for path in (
        "", "inbox/", "runs/", "threads/", "threads/?q=hacked", "assistants/", "assistants/?q=evil",
        "usage/", "usage/?by=assistant", f"assistants/{assistant}/", "outputs/", "prices/",
        f"assistants/{assistant}/versions/", f"runs/new/?assistant={assistant}",
        f"runs/new/?from_run={run_id}", f"runs/?assistant={assistant}", "runs/?q=evil",
        "runs/?metadata=a:%E2%80%AE", "runs/?model=%3Cimg",
    ):  # fmt: skip
        page.goto(f"/console/{path}")
        expect(page.locator("h1")).to_be_visible()
        found += wrongs(page)
    page.goto("/console/threads/")
    expect(page.get_by_role("table")).to_contain_text("<script>hacked=1</script>")
    assert found == []


def test_names_that_operators_give(page: Page, api):
    page.goto("/console/keys/")
    page.get_by_label("Name of a new key").fill(SHORT)
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#new-key")).to_be_visible()
    found = wrongs(page)
    page.goto("/console/runs/?status=failed")
    page.get_by_text("Save view").click()
    page.get_by_label("Name of a new view").fill(CORPUS[2])
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".views a")).to_have_count(1)
    found += wrongs(page)
    page.goto("/console/projects/")
    page.get_by_label("Name of a new project").fill(SHORT)
    page.get_by_role("button", name="Create project").click()
    for path in ("overview", "projects/", "keys/", "settings/", "members/"):
        page.goto(f"/console/{path.removeprefix('overview')}")
        found += wrongs(page)
    page.goto("/console/projects/")
    page.get_by_role("button", name="Work in default").click()
    assert found == []


def test_a_downloaded_run_is_text_too(page: Page, api, ended: dict[str, str], new_context):
    answered = page.context.request.get(f"{ended['completed']}export.html")
    alone = new_context().new_page()
    alone.set_content(answered.text())
    assert "<script>hacked=1</script>" in alone.locator("body").inner_text()
    assert [what for what in wrongs(alone) if not what.endswith(": meta")] == []  # its own policy


def test_the_admin_shows_text(page: Page, ended: dict[str, str]):
    found = []
    for kind in ("run", "thread", "message", "assistant", "runstep", "toolcall", "apikey"):
        page.goto(f"/admin/runs/{kind}/")
        found += page.evaluate(FOREIGN)
        page.locator("#result_list tbody th a").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("View")
        found += page.evaluate(FOREIGN)
    assert found == []
