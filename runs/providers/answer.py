"""The answer to one request of chat completions, read as it arrives."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import httpx

from runs.providers import faults
from runs.providers.base import Piece, UpstreamError
from runs.providers.pieces import MAX_TURN_CHARACTERS, TurnReader
from runs.providers.sse import EventReader

AFTER_REASON_SECONDS = 5.0  # for usage and [DONE], once the finish reason has come
AFTER_DONE_SECONDS = 0.02  # for the end of the body: a body read to its end keeps the connection
ERROR_BODY_SECONDS = 5.0
ERROR_BODY_BYTES = 64 << 10
DONE = "[DONE]"
PAGES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")


class Answer:
    """One reply with status 200. Errors are those of ``runs.providers.faults``."""

    def __init__(self, reply: httpx.Response, model: str, secrets: list[str]) -> None:
        self.reply = reply
        self.model = model
        self.secrets = secrets
        self.turn = TurnReader()
        self.done = False

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of the turn, its ``TurnEnd`` last."""
        encoding = encoding_of(self.reply)
        if encoding != "identity":
            raise faults.encoded(encoding, self.secrets)
        content_type = self.reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in PAGES:
            body = await read_error_body(self.reply)
            raise faults.not_an_answer(content_type, body, self.secrets)
        # An upstream that cannot stream answers with one JSON object. Anything else is tried as a
        # stream: some label it text/plain, or not at all.
        read = self.whole if content_type == "application/json" else self.streamed
        async with aclosing(read()) as pieces:
            async for piece in pieces:
                yield piece
        for piece in self.turn.finish():
            yield piece

    async def whole(self) -> AsyncGenerator[Piece, None]:
        body = bytearray()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_TURN_CHARACTERS:
                    raise faults.sent_too_much("16 MiB of text")
        for piece in self.turn.feed(self.parse(body.decode("utf-8", "replace"))):
            yield piece
        if not (self.turn.reason or self.turn.begun):
            raise faults.not_an_answer("application/json", bytes(body), self.secrets)

    async def streamed(self) -> AsyncGenerator[Piece, None]:
        async with aclosing(self.events()) as events:
            async for data in events:
                for piece in self.turn.feed(self.parse(data)):
                    yield piece
        if not (self.turn.reason or (self.done and self.turn.begun)):
            raise faults.broke_off()

    async def events(self) -> AsyncGenerator[str, None]:
        """Yield the data of each event before ``[DONE]`` or the end of the body."""
        reader = EventReader()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                for data in reader.feed(chunk):
                    if data.strip() == DONE:
                        self.done = True
                        await drain(chunks)
                        return
                    yield data
        for data in reader.finish():
            self.done = self.done or data.strip() == DONE
            if load(data) is not None:  # not what a broken connection cut in two
                yield data

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body's bytes as they come.

        Once the finish reason has come the turn is whole: then a failure is only the end, and
        nothing is waited for long.
        """
        async with aclosing(raw_bytes(self.reply)) as chunks:
            while True:
                try:
                    async with asyncio.timeout(AFTER_REASON_SECONDS if self.turn.reason else None):
                        chunk = await anext(chunks, None)
                except (httpx.TransportError, TimeoutError):
                    if self.turn.reason:
                        return
                    raise
                if chunk is None:
                    return
                yield chunk

    def parse(self, data: str) -> dict[str, Any]:
        """Return one chunk, or {} for anything but a chunk once the finish reason has come.

        Raises:
            UpstreamError: ``data`` is no JSON object, or it holds an ``error``.
        """
        chunk = load(data)
        error: UpstreamError | None = None
        if chunk is None:
            error = faults.not_json(data, self.secrets)
        elif found := chunk.get("error") or (chunk if chunk.get("object") == "error" else None):
            error = faults.fault_of_object(found, self.secrets, self.model)
        if error and not self.turn.reason:
            raise error
        return {} if error or chunk is None else chunk


def raw_bytes(reply: httpx.Response) -> AsyncGenerator[bytes, None]:
    # httpx promises an iterator; it is a generator, and has to be closed as one.
    return cast("AsyncGenerator[bytes, None]", reply.aiter_raw())


def load(data: str) -> dict[str, Any] | None:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return chunk if isinstance(chunk, dict) else None


def encoding_of(reply: httpx.Response) -> str:
    return str(reply.headers.get("content-encoding", "identity"))


async def drain(chunks: AsyncGenerator[bytes, None]) -> None:
    """Read the rest of a body that should have none, so that its connection can be used again."""
    try:
        async with asyncio.timeout(AFTER_DONE_SECONDS):
            async for _ in chunks:
                pass
    except (httpx.TransportError, TimeoutError):
        pass  # the connection is closed, and the turn is whole


async def read_error_body(reply: httpx.Response) -> bytes:
    """Return the beginning of a body that is read only for its words; b"" if it is encoded."""
    body = bytearray()
    if encoding_of(reply) != "identity":
        return b""
    try:
        async with asyncio.timeout(ERROR_BODY_SECONDS), aclosing(raw_bytes(reply)) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) >= ERROR_BODY_BYTES:
                    break
    except (httpx.TransportError, TimeoutError):
        pass  # the status says enough
    return bytes(body[:ERROR_BODY_BYTES])
