"""The desk of a run as a browser reads it: fields as they are on the page, with what is in them."""

import json
from html.parser import HTMLParser
from typing import Any

from runs.models import ToolCall
from runs.operations import submit_tool_outputs


class Fields(HTMLParser):
    """Collects what the form with a draft would send, and what may be typed into."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sent: dict[str, str] = {}
        self.within = False
        self.area = self.choice = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.within = "data-draft" in at
        if not self.within or not at.get("name", at.get("value")):
            return
        if tag == "input":
            if at.get("type") not in ("radio", "checkbox") or "checked" in at:
                self.sent[at["name"]] = at.get("value", "")
        elif tag == "textarea":
            self.area, self.sent[at["name"]] = at["name"], ""
        elif tag == "select":
            self.choice, self.sent[at["name"]] = at["name"], ""
        elif tag == "option" and "selected" in at:
            self.sent[self.choice] = at["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.sent[self.area] = self.sent[self.area].removeprefix("\n")
            self.area = ""
        self.within = self.within and tag != "form"

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area] += data


def fields_of(response: Any) -> dict[str, str]:
    """What the desk on a page would send."""
    fields = Fields()
    fields.feed(response.content.decode())
    return fields.sent


def answer_all(run: Any, output: Any, by: Any = None) -> None:
    """Answer all calls of a run with one output."""
    text = output if isinstance(output, str) else json.dumps(output)
    ids = ToolCall.objects.filter(run_id=run.id).values_list("id", flat=True)
    submit_tool_outputs(run, [{"tool_call_id": key, "output": text} for key in ids], by)
