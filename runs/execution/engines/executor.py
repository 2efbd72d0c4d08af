"""Drives runs in this process, on the loop that it was started on. Every engine uses it."""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from django.conf import settings

from runs.execution.drive import drive
from runs.execution.engines.lanes import Lane
from runs.execution.watchdog import Findings
from runs.execution.worker import Worker

logger = logging.getLogger(__name__)

BEGINNERS = 4  # in a lane: as many as the database has threads for runs, by default
#: If it is a run that kills the process, it does so within this time, most likely.
SUSPECT_SECONDS = 10.0
#: Half of a run's lifetime, by default: of many, none is to expire while it waits. (A look of the
#: watchdog finds a hundred.)
SUSPECTS_SECONDS = 300.0


class Executor:
    """The runs that this process drives: so many at once, and those that wait for that.

    Those whose drivers were lost wait for none that begin. Those that may have been to blame for
    it come one after the other: whoever kills takes few others with it.
    """

    def __init__(self, worker: Worker):
        self.loop = asyncio.get_running_loop()
        self.worker = worker
        self.room = asyncio.Semaphore(settings.RUNSITE_CONCURRENT_RUNS)
        self.beginners = Lane(BEGINNERS)
        self.successors = Lane(BEGINNERS)
        self.suspects = Lane(1, SUSPECT_SECONDS, SUSPECTS_SECONDS)
        #: For a place and room, by lane and run.
        self.waiting: dict[tuple[Lane, str], asyncio.Task[None]] = {}
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
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self.loop.call_soon_threadsafe(func, run_id)

    def succeed(self, found: Findings) -> None:
        """Take over the runs whose drivers were lost. On the loop."""
        for run_id in found.suspects:
            self.spawn(run_id, self.suspects)
        for run_id in found.silent:
            self.spawn(run_id, self.successors)

    def spawn(self, run_id: str, lane: Lane | None = None) -> asyncio.Task[None]:
        """Drive a run as soon as there is a place and room, as a task that nobody's request owns.

        Of many hints while a run waits in a lane, one is enough. On the loop.
        """
        lane = lane or self.beginners
        if task := self.waiting.get((lane, run_id)):
            return task
        driving = self._drive(run_id, lane)
        task = self.loop.create_task(driving, context=contextvars.Context())
        self.waiting[lane, run_id] = task
        self.tasks.add(task)  # the loop itself would not keep it
        task.add_done_callback(self._done)
        return task

    async def _drive(self, run_id: str, lane: Lane) -> None:
        async with AsyncExitStack() as places:
            try:
                begun = await places.enter_async_context(lane.place())
                await places.enter_async_context(self.room)
            finally:
                self.waiting.pop((lane, run_id), None)
            if not self.stopping:
                await drive(run_id, self.worker, begun)

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
