"""Reading streams in tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase

from runs.events.hub import hub

SECONDS = 30.0  # longer than anything a test waits for, on any machine


@dataclass(frozen=True)
class Frame:
    """One frame: ``number`` is None where it has no ``id``."""

    name: str
    data: str
    number: int | None

    @property
    def wire(self) -> dict[str, Any]:
        """Its data as an object."""
        found: dict[str, Any] = json.loads(self.data)
        return found


DONE = Frame("done", "[DONE]", None)


def parse(text: str) -> list[Frame | str]:
    """The frames in ``text``; comments, one line each, as they are.

    Strict: no line ends but ours, not even those that only Unicode knows, for some clients
    split at them; no blank line but the one after each frame, for openai-python takes any
    for the end of an event.
    """
    assert text.endswith("\n")
    assert text.splitlines() == text[:-1].split("\n")
    found: list[Frame | str] = []
    while text:
        if text.startswith(":"):
            comment, _, text = text.partition("\n")
            found.append(comment)
        else:
            block, blank, text = text.partition("\n\n")
            assert blank, f"cut off: {block[:200]}"
            found.append(one(block))
    return found


def one(block: str) -> Frame:
    """One frame: id, event and data in this order, each once; only the last ones have no id."""
    lines = [line.partition(": ") for line in block.split("\n")]
    fields = {name: value for name, _, value in lines}
    assert [line[0] for line in lines] in (["id", "event", "data"], ["event", "data"]), block[:200]
    number = int(fields["id"]) if "id" in fields else None
    assert (number is None) == (fields["event"] in ("done", "error")), block[:200]
    return Frame(fields["event"], fields["data"], number)


def quiet(raw: bytes) -> bytes:
    """A stream without the comments that show that it lives: how many there are depends on the
    time it took."""
    return raw.replace(b": ping\n", b"")


@dataclass
class Stream:
    """An open stream; ``pieces`` are the writes that it was received in."""

    answer: StreamingHttpResponse
    pieces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.answer.status_code == 200
        assert self.answer["content-type"] == "text/event-stream; charset=utf-8"
        content = self.answer.streaming_content
        self.content: AsyncIterator[bytes] = aiter(content)  # type: ignore[arg-type]

    @classmethod
    def of(cls, answer: HttpResponseBase) -> Self:
        """The stream that an answer is."""
        assert isinstance(answer, StreamingHttpResponse), getattr(answer, "content", answer)
        return cls(answer)

    async def next(self) -> list[Frame | str]:
        """The next write."""
        async with asyncio.timeout(SECONDS):
            self.pieces.append((await anext(self.content)).decode())
        return parse(self.pieces[-1])

    async def rest(self) -> list[Frame | str]:
        """All that still comes, to the end of the stream."""
        found: list[Frame | str] = []
        async with asyncio.timeout(SECONDS):
            async for piece in self.content:
                self.pieces.append(piece.decode())
                found += parse(self.pieces[-1])
        return found

    @property
    def raw(self) -> bytes:
        """All that was received so far."""
        return "".join(self.pieces).encode()

    @property
    def frames(self) -> list[Frame]:
        """All frames that were received so far; comments are left out."""
        text = "".join(self.pieces)
        return [frame for frame in (parse(text) if text else ()) if isinstance(frame, Frame)]

    async def until(self, name: str, count: int = 1) -> list[Frame]:
        """Read on until ``count`` events of this name, without ``thread.``, have come since the
        beginning; all frames so far."""
        while names(found := self.frames).count(name) < count:
            await self.next()
        return found

    async def leave(self) -> None:
        """Go away while waiting for more: the server cancels what it was doing."""
        waiting = asyncio.create_task(self.rest())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def readers_are(count: int) -> None:
    """Wait until the hub has this many readers."""
    async with asyncio.timeout(SECONDS):
        while hub.readers() != count:
            await asyncio.sleep(0.01)


def names(frames: Sequence[Frame | str]) -> list[str]:
    """The names of the frames, without ``thread.``; comments are left out."""
    return [f.name.removeprefix("thread.") for f in frames if isinstance(f, Frame)]
