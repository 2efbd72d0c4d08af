"""What differs between two sets of settings, setting by setting and line by line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

#: The settings of an assistant or a run in words, in the order in which they are shown.
NAMES = {
    "name": "Name",
    "description": "Description",
    "model": "Model",
    "instructions": "Instructions",
    "tools": "Tools",
    "tool_resources": "Tool resources",
    "temperature": "Temperature",
    "top_p": "Top p",
    "reasoning_effort": "Reasoning effort",
    "response_format": "Response format",
    "metadata": "Metadata",
}
LONGEST = 4000  # lines of two texts that are compared: more would take seconds
AROUND = 3  # lines shown around a difference


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison; ``sign`` is ``-``, ``+``, a space, or ``@`` for lines left out."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs. Without lines it is too long to be compared."""

    name: str
    lines: list[Line]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The settings that differ, in the order of ``NAMES``."""
    found = []
    for key, name in NAMES.items():
        old, new = as_text(before.get(key)), as_text(after.get(key))
        if old != new:
            found.append(Change(name, lines(old, new)))
    return found


def lines(old: str, new: str) -> list[Line]:
    """The lines of two texts that differ, with those around them."""
    was, is_now = old.splitlines(), new.splitlines()
    if len(was) + len(is_now) > LONGEST:
        return []
    compared = list(unified_diff(was, is_now, n=AROUND, lineterm=""))[2:]
    found = [Line(line[0], "" if line[0] == "@" else line[1:]) for line in compared]
    return found[1:] if found else [Line("-", old), Line("+", new)]  # line ends alone differ


def as_text(value: Any) -> str:
    """A setting as text: words as they are, all else as JSON, nothing as nothing."""
    if value in (None, [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
