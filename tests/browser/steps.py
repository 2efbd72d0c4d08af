"""What people and programs do with a run, in words."""

import re
import time

import httpx
from playwright.sync_api import Page, expect

from runs.providers.demo import MODEL as DEMO

__all__ = ["DEMO", "TOOLS"]

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("get_weather", "get_time")
]


def start(api: httpx.Client, model: str = DEMO, text: str = "Hello", **fields: object) -> str:
    """Start a run through the API; the path of its page."""
    assistant = api.post("/assistants", json={"model": model}).raise_for_status().json()
    body = {
        "assistant_id": assistant["id"],
        "thread": {"messages": [{"role": "user", "content": text}]},
        **fields,
    }
    run = api.post("/threads/runs", json=body).raise_for_status().json()
    return f"/console/threads/{run['thread_id']}/runs/{run['id']}/"


def create_run(page: Page, model: str, message: str, tools: str = "") -> None:
    """Fill the form for a new run and send it."""
    page.goto("/console/runs/new/")
    page.get_by_label("Model", exact=True).fill(model)
    page.get_by_label("Message", exact=True).fill(message)
    page.get_by_label("Functions", exact=True).fill(tools)
    page.get_by_role("button", name="Start run").click()


def expect_status(page: Page, word: str) -> None:
    """Wait until the run's page says so."""
    expect(page.locator("#run-head .badge")).to_have_text(word, timeout=30_000)


def wait_for(api: httpx.Client, url: str, status: str) -> str:
    """Wait until a run is in ``status``, for a page that does not follow it; its page's path."""
    path = url.removeprefix("/console").rstrip("/")
    until = time.monotonic() + 30
    while (run := api.get(path).raise_for_status().json())["status"] != status:
        assert time.monotonic() < until, run
        time.sleep(0.05)
    return url


def answer(api: httpx.Client, url: str, output: str, seconds: float = 0) -> None:
    """Give all calls that a run waits for one output, as a tool that takes so long."""
    path = wait_for(api, url, "requires_action").removeprefix("/console").rstrip("/")
    wanted = api.get(path).json()["required_action"]["submit_tool_outputs"]["tool_calls"]
    time.sleep(seconds)
    outputs = [{"tool_call_id": call["id"], "output": output} for call in wanted]
    body = {"tool_outputs": outputs}
    api.post(f"{path}/submit_tool_outputs", json=body).raise_for_status()


def stored_text(api: httpx.Client, url: str) -> str:
    """The text of a run's last message, as the API has it."""
    found = re.search(r"threads/(thread_\w+)/runs/(run_\w+)/", url)
    assert found is not None
    messages = api.get(f"/threads/{found[1]}/messages", params={"run_id": found[2]}).json()["data"]
    return str(messages[0]["content"][0]["text"]["value"])


def final_text(page: Page) -> str:
    """The source of the last message on a run's page."""
    return page.locator("[id$=-stored]").last.text_content() or ""


def reload_count(page: Page) -> int:
    """Tells apart two loads of a page."""
    return int(page.evaluate("performance.timeOrigin"))
