"""Reading pages: where a run's is, what they say, and the frames of a socket."""

import html
import json
import re
from html.parser import HTMLParser
from typing import Any

from runs.models import Run

TARGET = re.compile(
    r'<hx-partial hx-target="([^"]*)" hx-swap="([^"]*)">(.*?)</hx-partial>', re.DOTALL
)


def url(run: Run, tail: str = "") -> str:
    """The address of a run's page, or of what is done there."""
    return f"/console/threads/{run.thread_id}/runs/{run.id}/{tail}"


class Text(HTMLParser):
    """Collects the text content of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def text_of(markup: str) -> str:
    """The text of some HTML, as a person reads it."""
    parser = Text()
    parser.feed(markup)
    return " ".join(" ".join(parser.found).split())


def says(response: Any) -> str:
    """The text of a response."""
    return text_of(response.content.decode())


def partials(frame: str) -> list[tuple[str, str, str]]:
    """Target, swap and HTML of each partial of a frame."""
    content = json.loads(frame)["content"]
    return [(html.unescape(target), swap, inner) for target, swap, inner in TARGET.findall(content)]


def targets(frame: str) -> list[str]:
    """The targets of a frame, in order."""
    return [target for target, _, _ in partials(frame)]
