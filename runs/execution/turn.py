"""One turn in memory: what the model has said so far, and how the turn ends."""

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from typing import Any

from runs.contract.ids import CALL, new_id
from runs.contract.limits import CALLS
from runs.contract.status import RunStatus
from runs.models import Message, RunStep
from runs.providers.base import (
    CallPiece,
    RefusalPiece,
    TextPiece,
    TurnEnd,
    TurnRequest,
    UpstreamError,
    Usage,
    estimate_tokens,
)
from runs.wire.deltas import refusal_delta, text_delta

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """A tool call as it comes together."""

    id: str
    name: str
    text: StringIO = field(default_factory=StringIO)  # a string would be copied with each piece
    undelivered: list[str] = field(default_factory=list)
    opened: bool = False

    @property
    def arguments(self) -> str:
        """What there is of the arguments."""
        return self.text.getvalue()

    def add(self, piece: str) -> None:
        """Take in a piece of the arguments."""
        self.text.write(piece)
        self.undelivered.append(piece)

    def whole(self) -> bool:
        """Whether the arguments are all there, as far as one can tell."""
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message as it comes together; ``kind`` is ``text`` or ``refusal``."""

    kind: str
    text: StringIO = field(default_factory=StringIO)

    def wire(self) -> dict[str, Any]:
        """The part as stored and sent."""
        text = self.text.getvalue()
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "text", "text": {"value": text, "annotations": []}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ends its run for now. ``usage`` is in the wire's shape."""

    status: RunStatus
    usage: dict[str, Any]
    incomplete_reason: str | None = None
    message_reason: str | None = None


@dataclass
class Turn:
    """What a turn has brought.

    A text opens a message; a turn that begins with a call opens a tool step instead, whose
    arguments are delivered as they come. One step is open at a time: the calls of a turn
    that began with text wait for its end.
    """

    offered: Collection[str]
    used_ids: set[str]
    asked_at: datetime | None = None
    message: Message | None = None
    message_step: RunStep | None = None
    tool_step: RunStep | None = None
    parts: list[Part] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    places: dict[int, Call] = field(default_factory=dict)
    #: The index of the call that is being delivered.
    telling: int = 0
    #: White space with which the turn began: a message only if something follows.
    blank: str = ""

    @property
    def shown(self) -> bool:
        """Whether readers have seen something of this turn."""
        return self.message is not None or self.tool_step is not None

    def add_text(self, message_id: str, piece: TextPiece | RefusalPiece) -> dict[str, Any]:
        """Take in a piece of the open message; its delta."""
        kind = "text" if isinstance(piece, TextPiece) else "refusal"
        first = not self.parts or self.parts[-1].kind != kind
        if first:
            self.parts.append(Part(kind))
        index = len(self.parts) - 1
        self.parts[index].text.write(piece.text)
        if kind == "text":
            return text_delta(message_id, index, piece.text, first=first)
        return refusal_delta(message_id, index, piece.text)

    def content(self) -> list[dict[str, Any]]:
        """The open message's content."""
        return [part.wire() for part in self.parts]

    def add_call(self, piece: CallPiece) -> Call:
        """Take in a fragment of a call.

        Raises:
            UpstreamError: the model called something that this run does not offer, or made
                too many calls.
        """
        call = self.places.get(piece.index)
        if call is None:
            if piece.name is None:
                raise UpstreamError("The model called a function without a name.")
            if piece.name not in self.offered:
                raise UpstreamError(
                    f"The model called the function '{piece.name[:100]}', which this run "
                    f"does not offer. Offered: {', '.join(sorted(self.offered)) or 'none'}."
                )
            if len(self.calls) >= CALLS:
                raise UpstreamError(f"The model made more than {CALLS} tool calls in one turn.")
            call = self.places[piece.index] = Call(self.own_id(piece.call_id), piece.name)
            self.calls.append(call)
        call.add(piece.arguments)
        return call

    def own_id(self, given: str | None) -> str:
        """The upstream's id for a call if it can serve, being new in this run; else our own."""
        call_id = given if given and len(given) <= 64 and given not in self.used_ids else None
        call_id = call_id or new_id(CALL)
        self.used_ids.add(call_id)
        return call_id

    def outcome(self, end: TurnEnd, request: TurnRequest) -> Outcome:
        """How the run goes on after this turn.

        Raises:
            UpstreamError: the model ended for a reason we do not know.
        """
        usage = wire_usage(end.usage or self.estimate(request))
        if end.reason == "length":
            return Outcome(
                RunStatus.INCOMPLETE, usage, "max_completion_tokens", message_reason="max_tokens"
            )
        if end.reason == "content_filter":
            return Outcome(
                RunStatus.INCOMPLETE, usage, "content_filter", message_reason="content_filter"
            )
        if end.reason not in ("stop", "tool_calls", "function_call"):
            raise UpstreamError(
                f"The model ended its answer for an unknown reason: '{end.reason[:100]}'."
            )
        return Outcome(RunStatus.REQUIRES_ACTION if self.calls else RunStatus.COMPLETED, usage)

    def estimate(self, request: TurnRequest) -> Usage:
        """The turn's tokens when the upstream does not report them."""
        answer = "".join(part.text.getvalue() for part in self.parts)
        answer += "".join(call.name + call.arguments for call in self.calls)
        return Usage(estimate_tokens(request.messages), estimate_tokens(answer))


def wire_usage(usage: Usage) -> dict[str, Any]:
    """Usage as on runs and steps. ``prompt_token_details`` is singular there."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total,
        "prompt_token_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
