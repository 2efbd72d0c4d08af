"""Two runs side by side: what they were asked, the steps aligned, and what differs."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runs.console.text import plain_text, pretty
from runs.console.timeline import StepView
from runs.models import Run
from runs.wire.objects import run_object

#: What is shown of a text; the rest is counted.
SHOWN = 64 * 1024  # characters
#: Lines that are compared; difflib takes long for more. Beyond, the texts stand side by side.
LINES = 1000
OPEN = 10  # pairs of steps whose texts are compared unasked
#: Settings of a run, as on the wire.
SETTINGS = (
    "assistant_id",
    "model",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "reasoning_effort",
    "response_format",
    "max_prompt_tokens",
    "max_completion_tokens",
    "truncation_strategy",
    "tool_resources",
    "metadata",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs, as text."""

    name: str
    a: str
    b: str
    hidden: int  # characters that are not shown


@dataclass(frozen=True, slots=True)
class Line:
    """A line of two texts: in both (" "), in the first alone ("-") or in the second ("+")."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Payload:
    """A text that two steps made. ``lines`` are those in which it differs, with some around."""

    name: str
    same: bool
    lines: list[Line]
    hidden: int  # characters that are not shown


@dataclass
class Pair:
    """Two steps that stand for each other; one of them is None where the other run has more.
    ``payloads`` are made for those that are opened."""

    place: int  # from 1
    a: StepView | None
    b: StepView | None
    same: bool
    payloads: list[Payload] | None = None

    @property
    def title(self) -> str:
        """What the steps did."""
        step = self.a or self.b
        return title(step) if step else ""

    @property
    def seconds(self) -> float | None:
        """How much longer the second took."""
        if not (self.a and self.b) or self.a.seconds is None or self.b.seconds is None:
            return None
        return self.b.seconds - self.a.seconds

    @property
    def tokens(self) -> int | None:
        """How many tokens more the second took."""
        if not (self.a and self.b and self.a.row.usage and self.b.row.usage):
            return None
        return int(self.b.row.usage["total_tokens"] - self.a.row.usage["total_tokens"])


def settings_that_differ(a: Run, b: Run) -> list[Setting]:
    """The settings in which two runs differ, as on the wire."""
    first, second = run_object(a), run_object(b)
    return [
        setting(name, first[name], second[name]) for name in SETTINGS if first[name] != second[name]
    ]


def setting(name: str, *values: Any) -> Setting:
    """Two values of a setting, cut where they are long."""
    a, b = (
        value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        for value in values
    )
    return Setting(name, a[:SHOWN], b[:SHOWN], hidden(a, b))


def hidden(*texts: str) -> int:
    """How many characters of texts are not shown."""
    return sum(max(len(text) - SHOWN, 0) for text in texts)


def pairs(a: Sequence[StepView], b: Sequence[StepView]) -> list[Pair]:
    """The steps of two runs aligned by what they did, in order."""
    kinds = [kind(step) for step in a], [kind(step) for step in b]
    matcher = difflib.SequenceMatcher(None, *kinds, autojunk=False)
    found: list[tuple[StepView | None, StepView | None]] = []
    for word, from_a, to_a, from_b, to_b in matcher.get_opcodes():
        left, right = a[from_a:to_a], b[from_b:to_b]
        if word == "equal":
            found += zip(left, right, strict=True)
        else:
            found += [(step, None) for step in left] + [(None, step) for step in right]
    return [Pair(place, x, y, parts(x) == parts(y)) for place, (x, y) in enumerate(found, start=1)]


def open_pairs(found: Sequence[Pair], wanted: int | None) -> None:
    """Compare what the steps made: of one pair, or of the first ones that differ."""
    if wanted is not None:
        chosen = [pair for pair in found if pair.place == wanted]
    else:
        chosen = [pair for pair in found if not pair.same][:OPEN]
    for pair in chosen:
        pair.payloads = payloads(pair.a, pair.b)


def kind(step: StepView) -> tuple[str, ...]:
    """What a step did, without what it said: steps of one kind stand for each other."""
    return (step.row.type, *(call.name for call in step.calls))


def title(step: StepView) -> str:
    """A step's kind in words."""
    names = ", ".join(call.name for call in step.calls)
    return "Message" if step.writes else names or "Tool calls"


def payloads(a: StepView | None, b: StepView | None) -> list[Payload]:
    """What two steps made, part by part."""
    parts_a, parts_b = parts(a), parts(b)
    return [
        payload(name, parts_a.get(name, ""), parts_b.get(name, ""))
        for name in dict.fromkeys([*parts_a, *parts_b])
    ]


def parts(step: StepView | None) -> dict[str, str]:
    """The texts of a step by what they are."""
    if step is None:
        return {}
    if step.writes:
        return {"Text": plain_text(step.message.content) if step.message else step.text}
    found = {}
    for index, call in enumerate(step.calls, start=1):
        found[f"Arguments {index}"] = pretty(call.arguments)
        found[f"Output {index}"] = pretty(call.output or "")
    return found


def payload(name: str, a: str, b: str) -> Payload:
    """Two texts, cut where they are long, and the lines in which they differ."""
    first, second = a[:SHOWN].splitlines(), b[:SHOWN].splitlines()
    if a == b:
        lines = [Line(" ", line) for line in first]
    elif max(len(first), len(second)) > LINES:
        lines = [Line("-", line) for line in first] + [Line("+", line) for line in second]
    else:
        compared = list(difflib.unified_diff(first, second, lineterm=""))[2:]
        # Where lines in between are left out, unified_diff says which.
        lines = [
            Line("…", "") if line.startswith("@@") else Line(line[:1], line[1:])
            for line in compared
        ][1:]
    return Payload(name, a == b, lines, hidden(a, b))
