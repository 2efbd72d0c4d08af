"""Take the screenshots of docs/screenshots: a real server, a scripted model, a real browser.

    python tools/screenshots.py [NAME...]

Needs Chromium. Pictures are 1280 px wide, those of a phone 390 px.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from runs.contract.ids import new_id  # noqa: E402
from tests.live import LiveServer  # noqa: E402
from tests.upstream import Upstream  # noqa: E402
from tests.upstream_script import Plan, call, finish, status, text  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
CHROMIUM = os.environ.get("RUNSITE_TEST_CHROMIUM", "/usr/bin/chromium")
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
DEMO = "runsite/demo"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": CITY},
    }
    for name, description in (
        ("get_weather", "The weather of a city now."),
        ("get_time", "The local time of a city."),
    )
]
ANSWER = (
    "It is **17 °C and clear** in Oslo, and the sun is still up at 21:40.\n\n"
    "- Take a light jacket: evenings by the fjord get cool.\n"
    "- The last ferry to the islands leaves at 23:05.\n"
)
STORY = (
    "The lighthouse keeper counted ships the way other people count sheep, and on most nights "
    "she fell asleep somewhere after the ninth. Tonight there were none. The sea lay flat and "
    "black under a sky without a moon, and the lamp turned over water that gave nothing back. "
)


def calls(city: str) -> Plan:
    """A turn that asks for the weather and the time of a city."""
    arguments = json.dumps({"city": city})
    return [
        step
        for index, name in enumerate(("get_weather", "get_time"))
        for step in (
            call("", index=index, call_id=new_id("call"), name=name),
            call(arguments, index=index),
        )
    ]


def words(content: str, delay: float = 0.0) -> Plan:
    """A turn that says ``content`` word by word."""
    return [text(word, delay) for word in re.split(r"(?<=\s)", content)]


class Studio:
    """The server, its API, what its model says, and pages in whatever size and theme."""

    def __init__(self, server: LiveServer, upstream: Upstream, browser: Browser):
        self.server = server
        self.upstream = upstream
        self.browser = browser
        self.api = httpx.Client(base_url=server.base_url, headers=server.headers())
        context = browser.new_context()
        page = context.new_page()
        page.goto(server.login_url)
        page.wait_for_url("**/console/")
        self.state = context.storage_state()
        context.close()

    def assistant(self, name: str, **fields: object) -> str:
        """The id of a new assistant."""
        made = self.api.post("/assistants", json={"model": "gpt-4o", "name": name, **fields})
        return str(made.raise_for_status().json()["id"])

    def run(self, assistant: str, question: str, *answers: Plan, **fields: object) -> str:
        """Start a run on a new thread; the path of its page. ``answers`` are the model's turns.

        Waits a moment, so that runs started one after the other take their own answers.
        """
        self.upstream.queue.extend(answers)
        thread = {"messages": [{"role": "user", "content": question}]}
        body = {"assistant_id": assistant, "thread": thread, **fields}
        run = self.api.post("/threads/runs", json=body).raise_for_status().json()
        time.sleep(0.4)
        return f"/console/threads/{run['thread_id']}/runs/{run['id']}/"

    def page(self, path: str, *, phone: bool = False, dark: bool = False) -> Page:
        """A page of the console."""
        context = self.browser.new_context(
            base_url=self.server.url,
            storage_state=self.state,
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type] # sizes
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if phone else 1,
        )
        page = context.new_page()
        page.goto(path)
        return page


def shoot(page: Page, name: str) -> None:
    """Save what the window shows, once it has settled."""
    page.wait_for_timeout(600)
    page.screenshot(path=FOLDER / f"{name}.png")
    page.context.close()


def wait(page: Page, status: str) -> Page:
    """Wait for a status of the run's page."""
    page.wait_for_selector(f"#run-head[data-status={status}]")
    return page


def answer(page: Page, function: str, output: str) -> None:
    """Type the output of a function as text."""
    page.get_by_label(f"Output of {function}").fill(output)


def runs(studio: Studio) -> None:
    """The list, with something of everything."""
    guide, writer = studio.assistant("City guide"), studio.assistant("Writer")
    studio.run(writer, "Write a poem.", [status(400, {"error": {"message": "No."}})])
    studio.run(writer, "Write an essay.", [*words(STORY), finish("length")])
    for _ in range(4):
        studio.run(guide, "How is Oslo?", words(ANSWER, 0.005))
    studio.run(guide, "How is Oslo?", calls("Oslo"), tools=TOOLS)
    cancelled = studio.run(writer, "Write a novel.", words(STORY * 50, 0.05))
    studio.api.post(f"{cancelled.removeprefix('/console').rstrip('/')}/cancel").raise_for_status()
    studio.run(guide, "And Rome?", calls("Rome"), tools=TOOLS)
    studio.run(writer, "Write a story.", words(STORY * 50, 0.05))
    shoot(studio.page("/console/"), "overview")
    shoot(studio.page("/console/inbox/"), "inbox")
    shoot(studio.page("/console/usage/"), "usage")
    shoot(studio.page("/console/usage/", dark=True), "usage-dark")
    shoot(studio.page("/console/runs/"), "runs")
    shoot(studio.page("/console/runs/", phone=True), "runs-phone")
    shoot(studio.page("/console/runs/", dark=True), "runs-dark")


def running(studio: Studio) -> None:
    """A run whose text is being written."""
    path = studio.run(
        studio.assistant("Writer", instructions="Write plainly."),
        "Tell me a story about a lighthouse.",
        words(STORY * 20, 0.04),
    )
    page = studio.page(path)
    page.wait_for_timeout(3000)
    shoot(page, "running")


def waiting(studio: Studio) -> None:
    """A run that waits for two tool outputs."""
    guide = studio.assistant("City guide", instructions="Answer in a few words.")
    path = studio.run(guide, "How is Oslo now?", calls("Oslo"), tools=TOOLS)
    for phone, dark, name in (
        (False, False, "needs-input"),
        (True, False, "needs-input-phone"),
        (False, True, "needs-input-dark"),
    ):
        page = wait(studio.page(path, phone=phone, dark=dark), "requires_action")
        answer(page, "get_weather", '{"celsius": 17, "sky": "clear"}')
        shoot(page, name)


def completed(studio: Studio) -> None:
    """The same run after it, and its thread."""
    guide = studio.assistant("City guide", instructions="Answer in a few words.")
    path = studio.run(guide, "How is Oslo now?", calls("Oslo"), words(ANSWER, 0.03), tools=TOOLS)
    page = wait(studio.page(path), "requires_action")
    answer(page, "get_weather", '{"celsius": 17, "sky": "clear"}')
    answer(page, "get_time", "21:40")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Send all 2 outputs").click()
    wait(page, "completed").evaluate("scrollTo(0, 0)")
    shoot(page, "completed")
    shoot(studio.page(path.partition("runs/")[0]), "thread")
    shoot(studio.page(path.partition("runs/")[0], phone=True, dark=True), "thread-phone-dark")


def compare(studio: Studio) -> None:
    """Two runs of the same question, side by side."""
    guide = studio.assistant("City guide", instructions="Answer in a few words.")
    ended = []
    for model, sentence in (("gpt-4o", ANSWER), ("gpt-4o-mini", ANSWER.replace("clear", "cloudy"))):
        path = studio.run(guide, "How is Oslo?", words(sentence, 0.01), model=model)
        wait(studio.page(path), "completed").context.close()
        ended.append(path.rstrip("/").rpartition("/")[2])
    shoot(studio.page(f"/console/compare/?a={ended[0]}&b={ended[1]}"), "compare")


def failed(studio: Studio) -> None:
    """A run that failed says why."""
    refusal = {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}
    path = studio.run(studio.assistant("City guide"), "How is Oslo now?", [status(401, refusal)])
    shoot(wait(studio.page(path), "failed"), "failed")


def forms(studio: Studio) -> None:
    """The form for a new run, and the keys."""
    page = studio.page("/console/runs/new/")
    page.get_by_role("button", name=f"Use {DEMO}").click()
    page.get_by_label("Message", exact=True).fill("How is Oslo now?")
    page.get_by_role("button", name="Use two sample functions").click()
    page.mouse.wheel(0, -2000)
    shoot(page, "new-run")
    page = studio.page("/console/keys/")
    shoot(page, "keys")


def empty(studio: Studio) -> None:
    """What a new server shows."""
    shoot(studio.page("/console/runs/"), "empty")


SCENES: dict[str, Callable[[Studio], None]] = {
    scene.__name__: scene
    for scene in (empty, runs, running, waiting, completed, compare, failed, forms)
}


def main() -> None:
    """Take all pictures, or those of the named scenes, each on a server of its own."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name in sys.argv[1:] or SCENES:
            with (
                Upstream() as upstream,
                LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server,
            ):
                SCENES[name](Studio(server, upstream, browser))
            print(name)
        browser.close()


if __name__ == "__main__":
    main()
