"""One reply of the scripted upstream: a plan in, chunked HTTP/1.1 out."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.upstream_script import DONE, Plan, Step, finish, usage

Headers = dict[str, str]


class Dropped(Exception):
    """The plan says to cut the connection."""


@dataclass
class Request:
    """One request for a turn. Times are ``time.monotonic()``, the same in every process."""

    number: int
    path: str
    headers: Headers
    body: dict[str, Any]
    received_at: float
    sent_at: list[float] = field(default_factory=list)  # of each delta
    ended_at: float | None = None  # the plan was played to its end
    closed_at: float | None = None  # the client went away before that

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])


class Reply:
    """Writes one HTTP/1.1 reply to a plan, chunked."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        request: Request | None = None,
        gates: Mapping[str, asyncio.Event] | None = None,
    ) -> None:
        self.writer = writer
        self.request = request
        self.gates = {} if gates is None else gates
        self.begun = False
        self.headers: Headers = {"content-type": "text/event-stream"}
        self.finished = False  # a finish reason was sent
        self.called = False

    async def play(self, plan: Plan) -> None:
        for step in plan:
            await asyncio.sleep(step.get("delay", 0))
            if "status" in step:
                await self.whole(step["status"], step["body"], step["headers"])
                return
            if step.get("end"):
                await self.write(b"")
                return
            await self.step(step)
        # A plan that does not say how it ends, ends as it should.
        if not self.finished:
            await self.step(finish("tool_calls" if self.called else "stop"))
        assert self.request is not None
        if (self.request.body.get("stream_options") or {}).get("include_usage"):
            await self.step(usage(10 * len(self.request.messages), len(self.request.sent_at)))
        await self.step(DONE)
        await self.write(b"")

    async def step(self, step: Step) -> None:
        if "headers" in step:
            self.headers |= step["headers"]
        elif step.get("hang"):
            await asyncio.Event().wait()
        elif step.get("drop"):
            raise Dropped
        elif "gate" in step:
            await self.gates[step["gate"]].wait()
        elif "raw" in step:
            await self.write(step["raw"].encode("utf-8", "surrogateescape"))
        elif "chunk" in step:
            await self.write(b"data: " + json.dumps(step["chunk"]).encode() + b"\n\n")
        elif "finish" in step:
            self.finished = True
            await self.choice({}, step["finish"])
        else:
            await self.choice(step["delta"], None)
            self.called = self.called or "tool_calls" in step["delta"]
            assert self.request is not None
            self.request.sent_at.append(time.monotonic())

    async def choice(self, delta: dict[str, Any], reason: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        body = {"object": "chat.completion.chunk", "choices": [choice]}
        await self.write(b"data: " + json.dumps(body).encode() + b"\n\n")

    async def write(self, data: bytes) -> None:
        """Send one chunk; an empty one ends the body."""
        if not self.begun:
            self.begun = True
            self.head(200, {**self.headers, "transfer-encoding": "chunked"})
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def whole(self, status: int, body: Any, headers: Headers) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        defaults = {"content-type": "application/json", "content-length": str(len(data))}
        self.head(status, {**defaults, **headers})
        self.writer.write(data)
        await self.writer.drain()

    def head(self, status: int, headers: Headers) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
