"""Chunks of chat completions in, pieces of a turn out; nothing here knows HTTP.

Source: API reference, "The chat completion chunk object". Whatever an upstream adds
(reasoning, log probabilities, its own fields) is ignored.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from runs.providers import faults
from runs.providers.base import CallPiece, Piece, RefusalPiece, TextPiece, TurnEnd, Usage

MAX_TURN_CHARACTERS = 16 << 20  # text, refusal and arguments of one turn together
MAX_CALLS = 128

UNSTORABLE = re.compile("[\ud800-\udfff\0]")  # halves of surrogate pairs; PostgreSQL takes no NUL
REPLACEMENT = "\ufffd"
LAST_OF_FIRST_HALVES = "\udbff"


def mend(text: str) -> str:
    """Join surrogate pairs and put U+FFFD for halves that stand alone and for NUL."""
    if not UNSTORABLE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\0", REPLACEMENT)


class Mender:
    """Mends a text that comes in fragments: a first half waits for its second one."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, fragment: str) -> str:
        text = self.held + fragment
        self.held = ""
        if text and "\ud800" <= text[-1] <= LAST_OF_FIRST_HALVES:
            text, self.held = text[:-1], text[-1]
        return mend(text)

    def finish(self) -> str:
        return mend(self.held)


@dataclass(slots=True)
class Call:
    """What is known so far of one function call.

    Nothing of a call is given out before its name is known; until then ``held`` gathers its
    arguments, and ``index`` is None.
    """

    call_id: str | None = None
    name: str | None = None
    index: int | None = None
    held: str = ""
    mender: Mender = field(default_factory=Mender)


class TurnReader:
    """Turns the chunks of one turn into pieces.

    Calls are numbered 0, 1, 2 … in the order in which they are given out, whatever indexes the
    upstream gives. ``reason`` is set once the upstream has said why it ended; what comes after
    that is ignored, but for the usage.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.usage: Usage | None = None
        self.size = 0
        self.text = Mender()
        self.refusal = Mender()
        self.calls: list[Call] = []
        self.given_out = 0
        self.at_index: dict[int, Call] = {}

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return bool(self.size or self.calls)

    def feed(self, chunk: dict[str, Any]) -> list[Piece]:
        """Return the pieces in one chunk, or in one whole answer of an upstream without streams.

        Raises:
            UpstreamError: the turn is larger than ``MAX_TURN_CHARACTERS`` or ``MAX_CALLS``.
        """
        self.usage = usage_of(chunk.get("usage")) or self.usage
        choice = first_choice(chunk)
        if choice is None or self.reason is not None:
            return []
        delta = choice.get("delta") or choice.get("message")
        pieces = self.read_delta(delta) if isinstance(delta, dict) else []
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.reason = mend(reason)
        return pieces

    def finish(self) -> list[Piece]:
        """Return what was held back and the ``TurnEnd``; a missing reason counts as ``stop``."""
        pieces: list[Piece] = []
        if text := self.text.finish():
            pieces.append(TextPiece(text))
        if refusal := self.refusal.finish():
            pieces.append(RefusalPiece(refusal))
        pieces.extend(
            self.give_out(call, rest)
            for call in self.calls
            if (rest := call.mender.finish()) or call.index is None
        )
        reason = self.reason or "stop"
        # With a named tool_choice the reason of OpenAI itself is "stop", though there is a call.
        if reason in ("stop", "tool_calls", "function_call"):
            reason = "tool_calls" if self.calls else "stop"
        return [*pieces, TurnEnd(reason, self.usage)]

    def read_delta(self, delta: dict[str, Any]) -> list[Piece]:
        pieces: list[Piece] = []
        if text := self.take(self.text, text_of(delta.get("content"))):
            pieces.append(TextPiece(text))
        if refusal := self.take(self.refusal, text_of(delta.get("refusal"))):
            pieces.append(RefusalPiece(refusal))
        for fragment in dicts(delta.get("tool_calls")):
            pieces.extend(self.read_call(fragment))
        return pieces

    def take(self, mender: Mender, fragment: str) -> str:
        self.size += len(fragment)
        if self.size > MAX_TURN_CHARACTERS:
            raise faults.sent_too_much("16 MiB of text")
        return mender.feed(fragment) if fragment else ""

    def read_call(self, fragment: dict[str, Any]) -> list[CallPiece]:
        function = fragment.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name = word(fragment.get("id")), word(function.get("name"))
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # as Ollama does in its own protocol
            arguments = json.dumps(arguments, ensure_ascii=False)
        index = fragment.get("index")
        call = self.call_of(index, call_id, name) or self.begin_call(index)
        call.call_id, call.name = call.call_id or call_id, call.name or name
        text = self.take(call.mender, arguments if isinstance(arguments, str) else "")
        if call.name is None:
            call.held += text
            return []
        return [self.give_out(call, text)] if text or call.index is None else []

    def give_out(self, call: Call, text: str) -> CallPiece:
        """Return the next piece of a call; the first one carries its id and name."""
        if call.index is not None:
            return CallPiece(call.index, None, None, text)
        call.index, self.given_out = self.given_out, self.given_out + 1
        return CallPiece(call.index, call.call_id, call.name, call.held + text)

    def call_of(self, index: Any, call_id: str | None, name: str | None) -> Call | None:
        """Return the open call that a fragment goes on with; None if it begins another.

        The index decides, unless id or name contradict it: some upstreams give every call the
        index 0. Without index, the id decides; without either, a name begins a new call.
        """
        if isinstance(index, int):
            call = self.at_index.get(index)
        elif call_id:
            return next((call for call in self.calls if call.call_id == call_id), None)
        elif name:
            return None
        else:
            call = self.calls[-1] if self.calls else None
        if call is None or differ(call.call_id, call_id):
            return None
        return None if not call_id and differ(call.name, name) else call

    def begin_call(self, index: Any) -> Call:
        if len(self.calls) >= MAX_CALLS:
            raise faults.sent_too_much(f"{MAX_CALLS} tool calls")
        call = Call()
        self.calls.append(call)
        if isinstance(index, int):
            self.at_index[index] = call
        return call


def differ(known: str | None, given: str | None) -> bool:
    return known is not None and given is not None and known != given


def word(value: Any) -> str | None:
    return mend(value) if isinstance(value, str) and value else None


def text_of(content: Any) -> str:
    """Return the text of a delta's content: a string, or a list of parts (Mistral)."""
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in dicts(content) if part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def first_choice(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """Return choice 0, the only one we ask for; some upstreams leave its index away."""
    choices = dicts(chunk.get("choices"))
    return next((choice for choice in choices if choice.get("index") in (None, 0)), None)


def usage_of(usage: Any) -> Usage | None:
    """Return the reported usage; None if there is none that can be read."""
    if not isinstance(usage, dict) or not (
        "prompt_tokens" in usage or "completion_tokens" in usage
    ):
        return None
    return Usage(
        count(usage, "prompt_tokens"),
        count(usage, "completion_tokens"),
        count(usage.get("prompt_tokens_details"), "cached_tokens"),
        count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the dicts in what should be a list of dicts."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(holder: Any, key: str) -> int:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0
