"""Ask for a turn and put its pieces together again."""

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from runs.providers.base import (
    CallPiece,
    Piece,
    Provider,
    RefusalPiece,
    TextPiece,
    TurnEnd,
    TurnRequest,
    UpstreamError,
)

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@dataclass
class Turn:
    text: str = ""
    refusal: str = ""
    calls: list[list[str | None]] = field(default_factory=list)  # [id, name, arguments]
    end: TurnEnd | None = None

    def add(self, piece: Piece) -> None:
        assert self.end is None, "a piece after the end"
        match piece:
            case TextPiece(text):
                self.text += text
            case RefusalPiece(text):
                self.refusal += text
            case CallPiece(index, call_id, name, arguments):
                if index == len(self.calls):
                    self.calls.append([call_id, name, arguments])
                else:
                    assert (call_id, name) == (None, None), "only the first fragment names"
                    self.calls[index][2] = f"{self.calls[index][2]}{arguments}"
            case TurnEnd():
                self.end = piece

    @property
    def reason(self) -> str:
        assert self.end is not None
        return self.end.reason


def request(model: str = "m", **fields: Any) -> TurnRequest:
    return TurnRequest(model=model, messages=fields.pop("messages", [USER]), **fields)


async def ask(provider: Provider, model: str = "m", **fields: Any) -> Turn:
    turn = Turn()
    async with aclosing(provider.turn(request(model, **fields))) as pieces:
        async for piece in pieces:
            turn.add(piece)
    assert turn.end is not None
    return turn


async def ask_in_vain(provider: Provider, model: str = "m", **fields: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(provider, model, **fields)
    return caught.value
