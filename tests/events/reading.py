"""What the tests of readers share: a run whose events are told, and one who reads them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from django.db import transaction

from runs.contract.status import RunStatus
from runs.events import log
from runs.events.follow import follow
from runs.events.hub import hub
from runs.lifecycle import runs as lifecycle
from runs.models import Run
from tests.factories import make_run

DELTA = "thread.message.delta"
END = "thread.run.completed"
PAUSE = "thread.run.requires_action"
SECONDS = 30.0  # longer than anything a test waits for, on any machine
NEVER = 3600.0  # seconds: longer than any test


def driven() -> Run:
    """A run that somebody drives."""
    return make_run(status=RunStatus.IN_PROGRESS)


def say(run: Run, count: int, publish: bool = True, commit: bool = True) -> list[log.Event]:
    """Write ``count`` deltas as a driver would."""
    events = [log.record(run, DELTA, {"n": run.next_number}) for _ in range(count)]
    if publish:
        hub.publish(run.id, events)
    if commit:
        log.append(run, events)
    return events


@transaction.atomic
def rest(run: Run, status: RunStatus, name: str) -> None:
    """Move the run and tell so, in the log and live."""
    lifecycle.move(run, status)
    hub.publish_on_commit(run.id, log.write(run, [(name, {"status": status})]))


async def numbers(run_id: str, after: int = 0, **options: Any) -> list[int]:
    """All numbers a reader gets until its stream ends by itself."""
    return await Reading(run_id, after, **options).end()


class Reading:
    """One who reads a run in a task; ``got`` are the numbers so far."""

    def __init__(self, run_id: str, after: int = 0, **options: Any):
        self.got: list[int] = []
        self.task = asyncio.create_task(self.read(follow(run_id, after, **options)))

    async def read(self, stream: AsyncIterator[list[log.Event]]) -> None:
        async for events in stream:
            self.got += [event.number for event in events]

    async def has(self, *expected: int) -> None:
        """Wait until it has got just these."""
        await until(lambda: self.got == list(expected))

    async def end(self) -> list[int]:
        """What it got in all."""
        async with asyncio.timeout(SECONDS):
            await self.task
        return self.got


async def until(holds: Callable[[], object]) -> None:
    """Wait until ``holds()``."""
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.001)
