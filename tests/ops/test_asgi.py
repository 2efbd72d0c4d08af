"""The ASGI application, as any server calls it."""

import asyncio
import json

import pytest

from runs.contract import limits
from runsite import asgi, process


class Exchange:
    """One HTTP request to the application: the messages in, and those that came out."""

    def __init__(self, path, *chunks, method="GET", headers=()):
        self.chunks = list(chunks) or [b""]
        self.sent = []
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"host", b"localhost"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }

    async def receive(self):
        if not self.chunks:
            await asyncio.Event().wait()  # the client says nothing more, and stays
        chunk = self.chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks)}

    async def send(self, message):
        self.sent.append(message)

    async def run(self):
        await asgi.application(self.scope, self.receive, self.send)
        return self

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent[1:])


class Counter:
    """In the place of the process: how often it was started and stopped."""

    def __init__(self):
        self.started = self.stopped = 0

    async def start(self):
        self.started += 1

    async def stop(self):
        self.stopped += 1


@pytest.fixture
def counter(monkeypatch):
    counter = Counter()
    monkeypatch.setattr(process, "current", counter)
    return counter


async def test_healthz_touches_nothing(counter):
    exchange = await Exchange("/healthz").run()
    assert exchange.status == 200
    assert exchange.body == b"ok"
    assert counter.started == 0


@pytest.mark.django_db(transaction=True)
async def test_the_first_request_starts_the_engine(counter):
    exchange = await Exchange("/v1/no-such").run()
    assert exchange.status == 404
    assert counter.started == 1


async def test_a_body_without_a_length_is_counted(counter):
    mega = b"x" * 1024 * 1024
    chunks = [mega] * (limits.BODY_BYTES // len(mega)) + [b"x", b"never read"]
    exchange = await Exchange("/v1/threads", *chunks, method="POST").run()
    assert exchange.status == 413
    assert json.loads(exchange.body)["error"]["code"] == "body_too_large"
    assert exchange.headers[b"x-request-id"].startswith(b"req_")
    assert exchange.chunks == [b"never read"]


async def test_lifespan_starts_and_stops_the_engine(counter):
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return incoming.pop(0)

    async def send(message):
        sent.append(message["type"])

    await asgi.application({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (counter.started, counter.stopped) == (1, 1)
