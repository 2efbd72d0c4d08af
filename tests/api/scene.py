"""Streams of really executed runs: the API in process, the scripted model over real HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from django.utils import timezone

from runs.models import Run
from runs.models.database import in_database
from runs.providers.openai_compatible import OpenAICompatible
from tests.api.client import Api, ok
from tests.api.executing import executing
from tests.api.grammar import check
from tests.api.replay import replay
from tests.api.sse import SECONDS, Frame, Stream
from tests.api.stream_objects import Wire
from tests.factories import WEATHER, make_assistant, make_message, make_thread
from tests.published import check_event
from tests.upstream import Upstream
from tests.upstream_script import Step

CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {}}}


class Scene:
    """A thread with a question, an assistant with two functions, and a model with a script."""

    def __init__(self, api: Api, upstream: Upstream):
        self.api = api
        self.upstream = upstream
        self.assistant = make_assistant(api.project, tools=[WEATHER, CLOCK])
        self.thread = make_thread(api.project)
        make_message(self.thread, "Hello")
        self.url = f"/v1/threads/{self.thread.id}/runs"

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Self]:
        """The engine of this process drives what is created inside the block."""
        async with executing(OpenAICompatible(self.upstream.url, "key")):
            yield self

    async def create(self, *plan: Step, **fields: Any) -> Stream:
        """The open stream of a new run, whose first turn is ``plan``."""
        self.upstream.play(list(plan))
        body = {"assistant_id": self.assistant.id, "stream": True} | fields
        return Stream.of(await self.api.acall("POST", self.url, body))

    async def submit(self, run: Wire, *plan: Step) -> Stream:
        """The open stream that follows when a run gets its outputs; ``plan`` is the next turn."""
        self.upstream.play(list(plan))
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": f"for {call['id']}"} for call in calls]
        body = {"tool_outputs": outputs, "stream": True}
        path = f"{self.url}/{run['id']}/submit_tool_outputs"
        return Stream.of(await self.api.acall("POST", path, body))

    async def attach(self, run: Wire, query: str = "", **headers: str) -> Stream:
        """The open stream of one that comes later."""
        answer = await self.api.acall("GET", f"{self.url}/{run['id']}/stream{query}", **headers)
        return Stream.of(answer)

    async def cancel(self, run: Wire) -> Wire:
        """Cancel from another connection."""
        return ok(await self.api.acall("POST", f"{self.url}/{run['id']}/cancel"))  # type: ignore[arg-type]

    async def expire(self, run: Wire) -> None:
        """Let the run's time be up."""
        await in_database(Run.objects.filter(id=run["id"]).update, expires_at=timezone.now())

    async def logged(self, frames: list[Frame]) -> None:
        """Wait until the log has all that was read."""
        last = frames[-1].number or 0
        await until(lambda: Run.objects.get().last_number >= last)


async def until(holds: Callable[[], object]) -> None:
    """Wait until ``holds()`` of the database is true."""
    deadline = time.monotonic() + SECONDS
    while not await in_database(holds):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


async def checked(stream: Stream, begins: str = "create", **options: bool) -> list[Frame]:
    """Read a stream to its end; its frames, after everything that can be checked was.

    They are what the published schema says, and the unmodified openai-python reads them.
    """
    await stream.rest()
    frames = check(stream.raw, begins, **options)
    await in_database(check_published, frames)
    seen = replay(stream.raw)
    assert seen.names == [frame.name for frame in frames[:-1]]
    assert seen.get_final_run().status == frames[-2].wire["status"]
    return frames


def check_published(frames: list[Frame]) -> None:
    """Each event is as the schema has it; of many deltas in a row, the first two and the last."""
    for place, frame in enumerate(frames):
        near = frames[max(place - 2, 0) : place + 2]
        if len(near) < 4 or len({other.name for other in near}) > 1:
            check_event(frame)


def last_run(frames: list[Frame]) -> Wire:
    """The run with which a stream ended."""
    return frames[-2].wire


def data_of(frames: list[Frame], name: str) -> list[Wire]:
    """The objects of all events of this name, given without ``thread.``."""
    return [frame.wire for frame in frames if frame.name == f"thread.{name}"]
