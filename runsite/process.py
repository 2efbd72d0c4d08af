"""What lives and dies with the process: the engine, the relay, and whether it is draining."""

import asyncio
import contextvars
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from django.conf import settings

from runs.events.relay import relay
from runs.execution import engines
from runsite import loop

logger = logging.getLogger(__name__)


class Process:
    """Starts the engine once, whoever asks first, and stops it once."""

    def __init__(self) -> None:
        self.draining = False
        self.starting: asyncio.Task[None] | None = None
        self.stopping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start what a serving process needs; waits for a start under way."""
        await self._start(engines.current().start)

    async def work(self) -> None:
        """Start what a worker needs."""
        await self._start(engines.current().work)

    async def _start(self, engine: Callable[[], Awaitable[None]]) -> None:
        """Start the relay and the engine, once; after a start that failed, whoever comes next
        tries again: stock servers serve on, and most of what fails does not last.

        In a fresh context: a task that inherits a request's context inherits the thread
        of that request as well, and dies with it.
        """
        if self.starting is None or (has_failed(self.starting) and not self.draining):

            async def begin() -> None:
                loop.lag.start()
                await relay.start()
                await engine()

            self.starting = asyncio.create_task(begin(), context=contextvars.Context())
        await asyncio.shield(self.starting)

    async def stop(self, grace: float | None = None) -> None:
        """Take no new work, give running turns ``grace`` seconds, hand the rest over."""
        self.draining = True
        if self.starting is None:
            return
        if self.stopping is None:
            self.stopping = asyncio.create_task(self.stop_engine(grace))
        await asyncio.shield(self.stopping)

    async def stop_engine(self, grace: float | None) -> None:
        """Stop the engine once its start is through; the last events still reach others."""
        if self.starting is not None:
            with suppress(Exception):  # its failure was reported to whoever started it
                await self.starting
        await engines.current().stop(settings.RUNSITE_DRAIN_SECONDS if grace is None else grace)
        await relay.stop()
        loop.lag.stop()


def has_failed(task: asyncio.Task[None]) -> bool:
    """Whether a task has ended with a fault."""
    return task.done() and (task.cancelled() or task.exception() is not None)


current = Process()


def follow_reactor() -> None:
    """Start and stop with Twisted's reactor: Daphne has no lifespan events.

    Does nothing under other servers, whose processes never run the reactor.
    """
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - not under other servers

    async def run(operation: Callable[[], Awaitable[None]]) -> None:
        try:
            await operation()
        except Exception:
            logger.exception("the engine failed")

    def later(operation: Callable[[], Awaitable[None]]) -> Any:
        return Deferred.fromFuture(asyncio.ensure_future(run(operation)))

    reactor.callWhenRunning(later, current.start)
    reactor.addSystemEventTrigger("before", "shutdown", later, current.stop)
