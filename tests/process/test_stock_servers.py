"""Streams through every server that we say works: our own, and three that we do not change."""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.api.grammar import check, story
from tests.api.sse import Frame, names, parse, quiet
from tests.live import LiveServer
from tests.process.client import Api, Wire, path_of, until
from tests.upstream import Upstream
from tests.upstream_script import call, gate, text

pytestmark = pytest.mark.process

PROGRAMS = {
    "serve": (sys.executable, "manage.py", "serve"),
    "daphne": (sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p"),
    "uvicorn": (sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port"),
    "granian": (sys.executable, "-m", "granian", "--interface=asgi", "--port"),
}
START = "created run.created run.queued run.in_progress"
OPEN = "step.created step.in_progress"
WRITING = f"{OPEN} message.created message.in_progress"
WRITTEN = "message.completed step.completed"
CALL = [call("", call_id="call_a", name="some_tool"), call('{"n": '), call("1}")]


@pytest.fixture(scope="module", params=PROGRAMS)
def server(
    request: pytest.FixtureRequest, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """One server of each kind for all tests; in the end its log has no word of an error."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    server = LiveServer(folder, RUNSITE_UPSTREAM_URL=upstream.url)
    if request.param != "serve":
        server.command = (*PROGRAMS[request.param], str(server.port), "runsite.asgi:application")
        made = server.manage("create_key")
        assert made.returncode == 0, made.stderr
        server.key = next(word for word in made.stdout.split() if word.startswith("rsk_"))
    with server:
        yield server
        server.stop()
        assert "Traceback" not in server.log


@pytest.fixture
async def api(server: LiveServer) -> AsyncIterator[Api]:
    """The server's API."""
    async with Api(server) as api:
        yield api


class Stream:
    """An open stream; ``raw`` is what has come of it."""

    def __init__(self, reply: httpx.Response):
        self.reply = reply
        self.pieces = reply.aiter_raw()
        self.raw = b""

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, api: Api, method: str, path: str, **more: Any) -> AsyncIterator[Self]:
        """Open inside the block; the client goes away at its end."""
        async with api.http.stream(method, path, **more) as reply:
            assert reply.status_code == 200, (await reply.aread()).decode()
            assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
            yield cls(reply)

    @classmethod
    def create(cls, api: Api, body: Wire) -> contextlib.AbstractAsyncContextManager[Self]:
        """The stream of a new thread and run."""
        return cls.of(api, "POST", "/threads/runs", json=body | {"stream": True})

    @classmethod
    def attach(cls, api: Api, run: Wire, last: int) -> contextlib.AbstractAsyncContextManager[Self]:
        """The stream of one who has seen all up to a number."""
        headers = {"Last-Event-ID": str(last)}
        return cls.of(api, "GET", path_of(run) + "/stream", headers=headers)

    @property
    def frames(self) -> list[Frame]:
        """The frames that have come whole."""
        whole = self.raw[: self.raw.rfind(b"\n\n") + 2].decode()
        return [frame for frame in parse(whole) if isinstance(frame, Frame)] if whole else []

    async def until(self, name: str, count: int = 1) -> list[Frame]:
        """Read on until ``count`` events of this name have come."""
        while names(found := self.frames).count(name) < count:
            self.raw += await anext(self.pieces)
        return found

    async def rest(self) -> bytes:
        """All, to the end."""
        async for piece in self.pieces:
            self.raw += piece
        return self.raw


def connected(port: int, client: int) -> bool:
    """Whether a server still has its end of a connection open (Linux: proc_net_tcp(5))."""
    ends = (f":{port:04X}", f":{client:04X}")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1][8:], fields[2][8:]) == ends and fields[3] in ("01", "08"):
            return True
    return False


async def test_each_delta_comes_before_the_next_one_is_sent(api: Api, upstream: Upstream) -> None:
    """The model waits until its last word has arrived: nothing on the way gathers them."""
    gates = [f"plain {api.server.port} {n}" for n in range(5)]
    plan = [step for name in gates for step in (text(f"{name} "), gate(name))]
    upstream.play(plan)
    async with Stream.create(api, await api.prepare("plain")) as stream:
        for number, name in enumerate(gates, 1):
            await stream.until("message.delta", number)
            sent = upstream.requests[-1].sent_at  # noted after the sending, in another thread
            await until(lambda: len(sent) >= number)  # noqa: B023
            assert len(sent) == number
            upstream.open(name)
        frames = check(await stream.rest(), "create_thread")
    assert story(frames) == f"{START} {WRITING} message.delta*5 {WRITTEN} run.completed done"


async def test_tools_and_resume(api: Api, upstream: Upstream) -> None:
    name = f"tools {api.server.port}"
    upstream.play([CALL[0], gate(name), *CALL[1:]], [text("It is "), text("1.")])
    async with Stream.create(api, await api.prepare("tools")) as stream:
        await stream.until("run.step.delta")
        upstream.open(name)
        frames = check(await stream.rest(), "create_thread")
    assert story(frames) == f"{START} {OPEN} step.delta*3 run.requires_action done"
    run = frames[-2].wire
    body = {"tool_outputs": [{"tool_call_id": "call_a", "output": "😀\u2028"}], "stream": True}
    async with Stream.of(api, "POST", path_of(run) + "/submit_tool_outputs", json=body) as stream:
        resumed = check(await stream.rest(), "resume")
    assert story(resumed) == (
        "step.completed run.queued run.in_progress "
        f"{WRITING} message.delta*2 {WRITTEN} run.completed done"
    )
    (done,) = resumed[0].wire["step_details"]["tool_calls"]
    assert done["function"]["output"] == "😀\u2028"
    async with Stream.attach(api, run, 0) as stream:
        assert check(await stream.rest(), "create_thread") == [*frames[:-1], *resumed]


async def test_cancel_while_streaming(api: Api, upstream: Upstream) -> None:
    upstream.play([text("a"), text("b"), gate("never")])
    async with Stream.create(api, await api.prepare("cancel")) as stream:
        (run,) = [
            f.wire for f in await stream.until("message.delta", 2) if f.name == "thread.run.queued"
        ]
        request = upstream.requests[-1]
        assert (await api.post(path_of(run) + "/cancel"))["status"] == "cancelling"
        frames = check(await stream.rest(), "create_thread")
    assert story(frames) == (
        f"{START} {WRITING} message.delta*2 run.cancelling message.incomplete step.cancelled "
        "run.cancelled done"
    )
    await until(lambda: request.closed_at, what="the model's connection is closed")


async def test_attach_at_every_position_while_it_runs(api: Api, upstream: Upstream) -> None:
    name = f"attach {api.server.port}"
    upstream.play([text("a"), text("b"), gate(name), text("c")])
    async with Stream.create(api, await api.prepare("attach")) as stream:
        seen = await stream.until("message.delta", 2)
        run = next(frame.wire for frame in seen if frame.name == "thread.run.queued")
        async with contextlib.AsyncExitStack() as stack:
            late = {}
            for last in (0, *(frame.number or 0 for frame in seen)):
                late[last] = await stack.enter_async_context(Stream.attach(api, run, last))
                if last == 0:
                    await late[last].until("message.delta", 2)
            upstream.open(name)
            check(await stream.rest(), "create_thread")
            whole = quiet(stream.raw)
            assert quiet(await late.pop(0).rest()) == whole
            for last, one in late.items():
                mark = b"id: %d\n" % last
                rest = whole[whole.index(b"id: ", whole.index(mark) + len(mark)) :]
                assert quiet(await one.rest()) == rest


async def test_a_client_that_goes_away(api: Api, upstream: Upstream) -> None:
    """Its connection is let go while the model is silent, and the run goes on."""
    name = f"leave {api.server.port}"
    upstream.play([text("a"), gate(name), text("b")])
    async with Stream.create(api, await api.prepare("leave")) as stream:
        run = (await stream.until("message.delta"))[1].wire
        client = stream.reply.extensions["network_stream"].get_extra_info("client_addr")[1]
        assert connected(api.server.port, client)
    await until(lambda: not connected(api.server.port, client), what="the connection is let go")
    assert (await api.retrieve(run))["status"] == "in_progress"
    upstream.open(name)
    await api.wait(run, "completed")
    async with Stream.attach(api, run, 0) as stream:
        frames = check(await stream.rest(), "create_thread")
    assert story(frames) == f"{START} {WRITING} message.delta*2 {WRITTEN} run.completed done"
