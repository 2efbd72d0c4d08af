"""A scripted upstream over real HTTP: chat completions as told, and a record of what was asked.

In a test's own process::

    with Upstream() as upstream:
        upstream.play([text("Hi"), finish()])     # the answer to the next request
        OpenAICompatible(upstream.url, "key")

As a process of its own: ``python -m tests.upstream --port 0`` prints its address. ``GET /requests``
is the record, ``POST /script`` takes ``{"queue": [plan, ...], "strict": bool}``, ``DELETE
/requests`` forgets all. Without a plan in the queue the model's name says what to do: see
``tests.upstream_script``, also for the steps.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import ssl
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any, Self

import pytest

from tests.upstream_reply import Dropped, Headers, Reply, Request
from tests.upstream_script import Plan, broken_history, plan_of_model


class Reader(asyncio.StreamReader):
    """A stream that tells when the client has gone, without anybody reading from it."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        self.gone.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.gone.set()
        super().set_exception(exc)


class Upstream:
    """The server, on a loop and thread of its own; ``url`` is the base URL for a provider."""

    def __init__(
        self, port: int = 0, *, strict: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self.strict = strict
        self.tls = tls
        self.queue: deque[Plan] = deque()
        self.requests: list[Request] = []
        self.asked: Counter[str] = Counter()
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.numbers = itertools.count()
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def play(self, *plans: Plan) -> None:
        """Answer the next requests with these plans, whatever their models."""
        self.queue.extend(plans)

    def open(self, gate: str) -> None:
        """Let the plans go on that wait at this gate, and those that come to it later."""
        self.loop.call_soon_threadsafe(lambda: self.gates[gate].set())

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.on_loop(self.start())
        return self

    def __exit__(self, *exc: object) -> None:
        self.on_loop(self.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    def on_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(5)

    async def start(self) -> None:
        self.server = await self.loop.create_server(
            self.protocol, "127.0.0.1", self.port, ssl=self.tls
        )
        self.port = self.server.sockets[0].getsockname()[1]

    def protocol(self) -> asyncio.BaseProtocol:
        return asyncio.StreamReaderProtocol(Reader(), self.serve, loop=self.loop)

    async def stop(self) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def wait_until(self, holds: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait in a thread that is not the upstream's until ``holds()`` is true."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "the upstream waited in vain"
            time.sleep(0.002)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side closes it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        assert isinstance(reader, Reader)
        self.tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                pairs = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self.answer(method, path, headers, body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except Dropped:
            writer.transport.abort()
        finally:
            self.tasks.discard(task)
            writer.close()

    async def answer(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes,
        reader: Reader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if path.endswith("/chat/completions"):
            request = Request(next(self.numbers), path, headers, json.loads(body), time.monotonic())
            self.requests.append(request)
            reply = Reply(writer, request, self.gates)
            await unless_closed(reply.play(self.plan(request)), reader, request)
        elif path == "/requests":
            if method == "DELETE":
                self.requests.clear()
                self.queue.clear()
                self.asked.clear()
            await Reply(writer).whole(200, [asdict(request) for request in self.requests], {})
        elif path == "/script":
            script = json.loads(body)
            self.queue.extend(script.get("queue", ()))
            self.strict = script.get("strict", self.strict)
            await Reply(writer).whole(200, {}, {})
        else:
            await Reply(writer).whole(404, {"error": {"message": f"no such path: {path}"}}, {})

    def plan(self, request: Request) -> Plan:
        if self.strict and (fault := broken_history(request.messages)):
            error = {"message": fault, "type": "invalid_request_error", "code": None}
            return [{"status": 400, "body": {"error": error}, "headers": {}}]
        if self.queue:
            return self.queue.popleft()
        asked = self.asked[request.model]
        self.asked[request.model] += 1
        try:
            return plan_of_model(request.model, request.number, request.body, asked)
        except ValueError as error:
            return [{"status": 404, "body": {"error": {"message": str(error)}}, "headers": {}}]


async def unless_closed(work: Awaitable[None], reader: Reader, request: Request) -> None:
    """Do ``work`` until it is done or the client closes the connection; note which."""
    task = asyncio.ensure_future(work)
    closing = asyncio.ensure_future(reader.gone.wait())
    try:
        await asyncio.wait({task, closing}, return_when=asyncio.FIRST_COMPLETED)
        played = task.done() and task.exception() is None
        if reader.gone.is_set() and not played:
            request.closed_at = time.monotonic()
            raise ConnectionResetError
        request.ended_at = time.monotonic()
        task.result()
    finally:
        for future in (task, closing):
            future.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, Dropped):
                await future


@pytest.fixture(name="upstream")
def upstream_fixture() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted chat-completions upstream.")
    parser.add_argument("--port", type=int, default=0)
    with Upstream(parser.parse_args().port) as upstream:
        print(upstream.url, flush=True)  # noqa: T201
        upstream.thread.join()
