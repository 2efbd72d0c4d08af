"""Deltas that follow each other, made one, and cut again where a reader stands.

A delta of a compacted log stands under the number of the last of those that it was made of. The
lengths of their texts are kept beside it (its seams): whoever has seen a part of them gets the
rest, and nothing twice.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runs.contract.events import MESSAGE_DELTA, STEP_DELTA

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """The text that a delta adds, and to what."""

    place: tuple[str, int, str]  # the id of the message or step, the index in it, the kind
    text: str
    #: It is the first one of its part, and says so.
    begins: bool = False


def piece(name: str, wire: Wire) -> Piece | None:
    """What a delta adds to a part of a message, or to the arguments of a call; None if it is
    another event, or does more than add text."""
    if name == MESSAGE_DELTA and len(wire["delta"]["content"]) == 1:
        (part,) = wire["delta"]["content"]
        if part["type"] == "refusal":
            return Piece((wire["id"], part["index"], "refusal"), part["refusal"])
        more = part["text"].keys() - {"value"}
        if not more or part["text"].get("annotations") == []:
            return Piece((wire["id"], part["index"], "text"), part["text"]["value"], bool(more))
    if name == STEP_DELTA and len(wire["delta"]["step_details"]["tool_calls"]) == 1:
        (call,) = wire["delta"]["step_details"]["tool_calls"]
        if "id" not in call:
            return Piece((wire["id"], call["index"], "call"), call["function"]["arguments"])
    return None


def with_text(name: str, data: str, text: str, *, begins: bool) -> Wire:
    """A delta that is a piece, with another text; ``begins``: it stays the first if it was."""
    wire: Wire = json.loads(data)
    if name == STEP_DELTA:
        wire["delta"]["step_details"]["tool_calls"][0]["function"]["arguments"] = text
        return wire
    (part,) = wire["delta"]["content"]
    if part["type"] == "refusal":
        part["refusal"] = text
    elif begins:
        part["text"]["value"] = text
    else:
        part["text"] = {"value": text}
    return wire


def rest(name: str, data: str, lengths: Sequence[int], seen: int) -> Wire:
    """What is left of a joined delta for a reader who has seen the first ``seen`` of it."""
    whole = piece(name, json.loads(data))
    text = whole.text if whole else ""
    return with_text(name, data, text[sum(lengths[:seen]) :], begins=False)
