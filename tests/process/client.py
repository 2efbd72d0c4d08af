"""The API of one live server over plain HTTP, and readers of its streams."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from tests.live import LiveServer
from tests.upstream import Upstream
from tests.upstream_reply import Request
from tests.upstream_script import exchanges

Wire = dict[str, Any]

NO_BOUND = httpx.Limits(max_connections=None, max_keepalive_connections=20)
TOOL = {"type": "function", "function": {"name": "some_tool"}}


async def until(holds: Callable[[], object], seconds: float = 20.0, what: str = "") -> None:
    """Wait until ``holds()`` is true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.005)


class Api:
    """Calls of the API. The server may be killed and started again meanwhile."""

    def __init__(self, server: LiveServer):
        self.server = server
        self.http = httpx.AsyncClient(
            base_url=server.base_url,
            headers=server.headers(),
            timeout=30,
            limits=NO_BOUND,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.http.aclose()

    async def post(self, path: str, body: Wire | None = None) -> Wire:
        """The answer to a POST, which must be a 200."""
        reply = await self.http.post(path, json=body or {})
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def get(self, path: str) -> Wire:
        """The answer to a GET, which must be a 200."""
        reply = await self.http.get(path)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def prepare(self, model: str, content: str = "Hello", **fields: Any) -> Wire:
        """The body of a create-thread-and-run for an assistant made for it."""
        assistant = await self.post("/assistants", {"model": model, "tools": [TOOL]})
        messages = [{"role": "user", "content": content}]
        return {"assistant_id": assistant["id"], "thread": {"messages": messages}, **fields}

    async def run(self, model: str, content: str = "Hello", **fields: Any) -> Wire:
        """A new run of ``model`` on a thread of its own."""
        return await self.post("/threads/runs", await self.prepare(model, content, **fields))

    async def retrieve(self, run: Wire) -> Wire:
        """The run as it is now."""
        return await self.get(path_of(run))

    async def wait(self, run: Wire, *statuses: str, seconds: float = 20.0) -> Wire:
        """Retrieve until the run has one of ``statuses``."""
        deadline = time.monotonic() + seconds
        while (run := await self.retrieve(run))["status"] not in statuses:
            assert time.monotonic() < deadline, run
            await asyncio.sleep(0.05)
        return run

    async def answer(self, run: Wire) -> Wire:
        """Submit an output for every call that a run waits for."""
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "done"} for call in calls]
        return await self.post(path_of(run) + "/submit_tool_outputs", {"tool_outputs": outputs})

    async def steps(self, run: Wire) -> list[Wire]:
        """All steps of the run, oldest first."""
        return list((await self.get(path_of(run) + "/steps?order=asc&limit=100"))["data"])

    async def messages(self, run: Wire) -> list[Wire]:
        """The messages that the run has written, oldest first."""
        path = f"/threads/{run['thread_id']}/messages?run_id={run['id']}&order=asc&limit=100"
        return list((await self.get(path))["data"])

    async def log(self, run: Wire) -> list["Seen"]:
        """All events of the run, read from the beginning."""
        reader = Reader(self, run)
        assert await reader.attach()
        return reader.seen


def path_of(run: Wire) -> str:
    """The path of a run, below the base URL."""
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def text_of(message: Wire) -> str:
    """The text of a message with one text part."""
    (part,) = message["content"]
    return str(part["text"]["value"])


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as it reached a reader."""

    number: int
    name: str
    data: Wire
    at: float  # time.monotonic()

    @property
    def delta(self) -> str:
        """The text of a message delta."""
        return str(self.data["delta"]["content"][0]["text"]["value"])


class Reader:
    """Reads a run's events as an EventSource does: it comes back with the last id it saw."""

    def __init__(self, api: Api, run: Wire | None = None):
        self.api = api
        self.run = run or {}
        self.seen: list[Seen] = []
        self.comments = 0

    @property
    def deltas(self) -> list[Seen]:
        """The message deltas seen so far."""
        return [event for event in self.seen if event.name == "thread.message.delta"]

    @property
    def names(self) -> list[str]:
        """The names of the events seen so far."""
        return [event.name for event in self.seen]

    async def create(self, body: Wire) -> bool:
        """Create a thread and a run, and read its stream; see ``attach``."""
        return await self._read("POST", "/threads/runs", json={**body, "stream": True})

    async def attach(self, query: str = "", last: int | None = None) -> bool:
        """Read on from the last event seen, or past the number ``last``.

        Returns: whether the stream ended as it should, with ``done``; False if the
        connection was lost.
        """
        if last is None:
            last = self.seen[-1].number if self.seen else None
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        return await self._read("GET", path_of(self.run) + "/stream" + query, headers=headers)

    async def _read(self, method: str, path: str, **more: Any) -> bool:
        try:
            async with self.api.http.stream(method, path, **more) as reply:
                assert reply.status_code == 200, (await reply.aread()).decode()
                async for fields in frames(reply):
                    if fields["event"] == "done":
                        return True
                    self._take(fields)
        except httpx.TransportError:
            pass
        return False

    def _take(self, fields: dict[str, str]) -> None:
        event = Seen(
            int(fields["id"]), fields["event"], json.loads(fields["data"]), time.monotonic()
        )
        if event.data["object"] == "thread.run":
            self.run = event.data
        self.seen.append(event)


async def frames(reply: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The frames of a stream as their fields; comments are left out."""
    fields: dict[str, str] = {}
    async for line in reply.aiter_lines():
        if not line and fields:
            yield fields
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


@asynccontextmanager
async def reading(reader: Reader, query: str = "") -> AsyncIterator[asyncio.Task[bool]]:
    """Have ``reader`` read while inside the block; it leaves at the end."""
    task = asyncio.create_task(reader.attach(query))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def turns_asked(upstream: Upstream, content: str) -> dict[int, list[Request]]:
    """The requests for the run whose user message is ``content``, by turn."""
    turns: dict[int, list[Request]] = {}
    for request in upstream.requests:
        if any(message["content"] == content for message in request.messages):
            turns.setdefault(exchanges(request.messages), []).append(request)
    return turns


def family_of(pid: int) -> dict[int, str]:
    """The process and all its descendants: their start times, which with the pid name them."""
    parents: dict[int, int] = {}
    started: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                parents[int(folder.name)] = int(parent)
                started[int(folder.name)] = rest[17]
    family = {pid}
    for _ in range(len(parents)):
        grown = family | {child for child, parent in parents.items() if parent in family}
        if grown == family:
            break
        family = grown
    return {member: started[member] for member in family if member in started}


def assert_gone(family: dict[int, str], seconds: float = 5.0) -> None:
    """No process of a killed server lives on."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid, at in family.items() if family_of(pid).get(pid) == at]:
        lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in left]
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)
