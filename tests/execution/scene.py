"""What tests of execution have in common: a thread, an assistant, a worker, a scripted model."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from runs import operations
from runs.contract.status import TERMINAL, RunStatus
from runs.events import log
from runs.events.follow import follow
from runs.events.log import Event
from runs.execution import engines
from runs.execution.drive import drive
from runs.execution.upstreams import Upstreams
from runs.execution.worker import Worker
from runs.models import Message, Run, RunStep
from runs.models.database import in_database, in_writer, writers
from runs.providers.demo import Demo
from runs.providers.openai_compatible import OpenAICompatible
from tests.api.executing import executing
from tests.factories import WEATHER, make_assistant, make_message, make_thread
from tests.upstream import Upstream

START = "run.created run.queued run.in_progress"
OPEN = "step.created step.in_progress message.created message.in_progress"
TOOLS = "step.created step.in_progress"
TEXT_TURN = f"{OPEN} message.delta*3 message.completed step.completed"
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {}}}
LONG = "text-1000x5"
PAST = timedelta(seconds=1)
SECONDS = 30  # longer than anything a test waits for, on any machine


def events_of(run: Run) -> list[Event]:
    """All events in the log of the run."""
    page = log.read_after(run.id, 0, 100_000)
    assert page is not None
    return page.events


def story(run: Run) -> str:
    """The names of all its events, short, with how often a delta came in a row."""
    told: list[list[Any]] = []
    for event in events_of(run):
        name = event.name.removeprefix("thread.").replace("run.step.", "step.")
        if name.endswith("delta") and told and told[-1][0] == name:
            told[-1][1] += 1
        else:
            told.append([name, 1])
    return " ".join(name if n == 1 else f"{name}*{n}" for name, n in told)


def data_of(run: Run, name: str) -> list[dict[str, Any]]:
    """The wire objects of all events of this name."""
    return [json.loads(event.data) for event in events_of(run) if event.name == name]


def delta_text(run: Run, message_id: str | None = None) -> str:
    """What the message deltas in the log say together."""
    return "".join(
        part["text"]["value"]
        for delta in data_of(run, "thread.message.delta")
        for part in delta["delta"]["content"]
        if part["type"] == "text" and message_id in (None, delta["id"])
    )


def message_text(message: Message) -> str:
    """The text of a stored message."""
    return "".join(part["text"]["value"] for part in message.content if part["type"] == "text")


async def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until ``holds()``; it may not touch the database."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.002)


async def kill(driving: asyncio.Task[Any]) -> None:
    """End a driver as kill -9 does: without a word."""
    driving.cancel()
    await asyncio.wait([driving])


async def hold_writers() -> Callable[[], Awaitable[None]]:
    """Keep the executor's threads busy; returns what lets them go."""
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(SECONDS)

    threads = writers()._max_workers
    waiting = [asyncio.create_task(in_writer(wait)) for _ in range(threads)]
    await asyncio.sleep(0)

    async def release() -> None:
        go.set()
        await asyncio.gather(*waiting)

    return release


class Reader:
    """One who follows a run, in a task."""

    def __init__(self, run: Run, after: int = 0, **options: Any):
        self.got: list[Event] = []
        self.task = asyncio.create_task(self.read(run.id, after, options))

    async def read(self, run_id: str, after: int, options: dict[str, Any]) -> None:
        async for events in follow(run_id, after, **options):
            self.got += events

    @property
    def names(self) -> list[str]:
        return [event.name.removeprefix("thread.") for event in self.got]

    def deltas(self) -> int:
        return sum(name.endswith("delta") for name in self.names)

    async def end(self) -> list[Event]:
        await asyncio.wait_for(self.task, 30)
        return self.got


class Scene:
    """A thread with a question, an assistant with two tools, and who works on the runs.

    A run's model is the name of a plan of the scripted upstream.
    """

    def __init__(self, upstream: Upstream):
        self.upstream = upstream
        self.thread = make_thread()
        self.project = self.thread.project
        self.assistant = make_assistant(self.project, tools=[WEATHER, CLOCK])
        make_message(self.thread, "Hello")

    def create(self, model: str = "text-3", **fields: Any) -> Run:
        fields = {"assistant_id": self.assistant.id, "model": model} | fields
        return operations.create_run(fields.pop("thread", self.thread), fields)

    @asynccontextmanager
    async def working(
        self, lease: float = 60.0, read_seconds: float = 60.0
    ) -> AsyncIterator[Worker]:
        """A worker. Its lease is long: no renewal under way undoes what a test does to it."""
        provider = OpenAICompatible(self.upstream.url, "key", read_seconds=read_seconds)
        worker = Worker(Upstreams(provider, Demo()), lease)
        await worker.start()
        try:
            yield worker
        finally:
            await worker.stop(list(worker.drivers))
            await worker.upstreams.aclose()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Any]:
        """The process's engine at work: what is created is driven, what is due is found."""
        async with executing(OpenAICompatible(self.upstream.url, "key")):
            yield engines.current()

    def drive(self, run: Run, **options: Any) -> Run:
        """Drive the run as far as it goes without help; its row afterwards."""

        async def once() -> None:
            async with self.working(**options) as worker:
                await asyncio.wait_for(drive(run.id, worker), 20)

        asyncio.run(once())
        return again(run)

    def play(self, *plan: Any, **fields: Any) -> Run:
        """Create a run whose first turn is this plan, and drive it."""
        self.upstream.play(list(plan))
        return self.drive(self.create(**fields))

    def submit(self, run: Run, *outputs: str) -> Run:
        """Answer the calls the run waits for, in their order."""
        run = again(run)
        calls = run.required_action["submit_tool_outputs"]["tool_calls"]
        given = [
            {"tool_call_id": call["id"], "output": output}
            for call, output in zip(calls, outputs, strict=True)
        ]
        return operations.submit_tool_outputs(run, given).run

    def answer(self, run: Run) -> Run:
        """Answer all calls with "ok" and drive on."""
        calls = again(run).required_action["submit_tool_outputs"]["tool_calls"]
        return self.drive(self.submit(run, *["ok"] * len(calls)))


def again(run: Run) -> Run:
    """The row as it is now."""
    return Run.objects.get(number=run.number)


async def later(run: Run) -> Run:
    """The row as it is now, for async tests."""
    return await in_database(again, run)


def check_sane(run: Run) -> None:
    """What holds of every run at rest, however it got there."""
    run = again(run)
    numbers = [event.number for event in events_of(run)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == run.last_number < run.next_number
    assert (run.lease_owner, run.lease_until) == ("", None)
    done = RunStep.objects.filter(run=run, status="completed")
    turns = {step.turn for step in done}
    open_steps = RunStep.objects.filter(run=run, status="in_progress")
    if run.status in TERMINAL:
        assert not open_steps
        assert not Message.objects.filter(run=run, status="in_progress")
        assert run.required_action is None
    if run.status == RunStatus.COMPLETED:
        assert len(turns) <= run.turn
    for message in Message.objects.filter(run=run, status="completed"):
        assert delta_text(run, message.id) == message_text(message)
