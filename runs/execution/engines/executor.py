"""Drives runs in this process, on the loop that it was started on. Every engine uses it."""

import asyncio
import contextvars
import logging
from collections.abc import Callable

from django.conf import settings

from runs.execution.drive import drive
from runs.execution.upstreams import Upstreams, upstreams
from runs.execution.worker import Worker

logger = logging.getLogger(__name__)


class Executor:
    """The runs that this process drives: so many at once, and those that wait for room."""

    def __init__(self, own: Upstreams | None = None):
        self.loop = asyncio.get_running_loop()
        self.worker = Worker(own or upstreams(), settings.RUNSITE_LEASE_SECONDS)
        self.room = asyncio.Semaphore(settings.RUNSITE_CONCURRENT_RUNS)
        self.waiting: dict[str, asyncio.Task[None]] = {}  # for room, by run
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = False

    async def start(self) -> None:
        """Begin to load the models, to flush, and to renew leases."""
        await self.worker.upstreams.start()
        await self.worker.start()

    @property
    def alive(self) -> bool:
        """Whether the parts that must never end are running."""
        return self.worker.alive

    def call(self, func: Callable[[str], object], run_id: str) -> None:
        """Call ``func`` on the executor's loop, from whatever thread this is."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(func, run_id)

    def spawn(self, run_id: str) -> asyncio.Task[None]:
        """Drive a run as soon as there is room, as a task that nobody's request owns.

        Of many hints while a run waits for room, one is enough. On the loop.
        """
        if task := self.waiting.get(run_id):
            return task
        task = self.loop.create_task(self._drive(run_id), context=contextvars.Context())
        self.waiting[run_id] = task
        self.tasks.add(task)  # the loop itself would not keep it
        task.add_done_callback(self._done)
        return task

    async def _drive(self, run_id: str) -> None:
        try:
            await self.room.acquire()
        finally:
            self.waiting.pop(run_id, None)
        try:
            if not self.stopping:
                await drive(run_id, self.worker)
        finally:
            self.room.release()

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            # The lease runs out and the watchdog finds the run again.
            logger.error("driver ended by a fault", exc_info=fault)

    def stop_run(self, run_id: str) -> None:
        """Have the driver of a run, if it is here, look at the run's row. On the loop."""
        self.worker.stop_run(run_id)

    async def stop(self, grace: float) -> None:
        """Give running turns ``grace`` seconds, then release them for others at once."""
        self.stopping = True
        for task in self.waiting.values():
            task.cancel()
        if self.tasks and grace > 0:
            await asyncio.wait(self.tasks, timeout=grace)
        owners = list(self.worker.drivers)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.worker.stop(owners)
        await self.worker.upstreams.aclose()
