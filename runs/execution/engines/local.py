"""The engine that executes runs in the serving process, as tasks on the server's loop."""

import asyncio
import contextvars
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings
from django.db import Error, transaction

from runs.events.hub import hub
from runs.execution import watchdog
from runs.execution.drive import drive
from runs.execution.upstreams import Upstreams, upstreams
from runs.execution.worker import Worker
from runs.models.database import in_writer

logger = logging.getLogger(__name__)


class LocalEngine:
    """Hints are calls into this process. What they miss, the watchdog finds."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.worker: Worker | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.watching: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether this process executes runs, and its parts are alive."""
        watching = self.watching is not None and not self.watching.done()
        return watching and self.worker is not None and self.worker.alive

    def kick(self, run_id: str) -> None:
        """Drive the run once the caller's transaction is committed."""
        transaction.on_commit(functools.partial(self._call, self._spawn, run_id))

    def signal_cancel(self, run_id: str) -> None:
        """Have the run's driver look at its row once the transaction is committed."""
        transaction.on_commit(functools.partial(self._call, self._stop_run, run_id))

    def _call(self, func: Callable[[str], None], run_id: str) -> None:
        """Call on the engine's loop, from whatever thread this is."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(func, run_id)

    def _spawn(self, run_id: str) -> None:
        if self.worker is not None and self.watching is not None:
            self._keep(drive(run_id, self.worker))

    def _stop_run(self, run_id: str) -> None:
        if self.worker is not None:
            self.worker.stop_run(run_id)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` as a task that nobody's request owns, and hold on to it."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            # The lease runs out and the watchdog finds the run again.
            logger.error("driver ended by a fault", exc_info=fault)

    async def start(self, own: Upstreams | None = None) -> None:
        """Begin to execute on the running loop, first of all what an earlier process left."""
        if self.worker is not None:
            return
        self.loop = asyncio.get_running_loop()
        self.worker = Worker(own or upstreams(), settings.RUNSITE_LEASE_SECONDS)
        await self.worker.upstreams.start()
        await self.worker.start()
        self.watching = asyncio.create_task(
            self._watch(), name="watchdog", context=contextvars.Context()
        )

    async def stop(self, grace: float) -> None:
        """Give running turns ``grace`` seconds, then release them for others."""
        worker, watching = self.worker, self.watching
        if worker is None or watching is None:
            return
        self.watching = None  # takes no more runs
        watching.cancel()
        if self.tasks and grace > 0:
            await asyncio.wait(self.tasks, timeout=grace)
        owners = list(worker.drivers)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(watching, *self.tasks, return_exceptions=True)
        await worker.stop(owners)
        await worker.upstreams.aclose()
        self.worker = self.loop = None

    async def _watch(self) -> None:
        first = True
        while True:
            try:
                found = await in_writer(watchdog.look, first=first)
            except Error:
                logger.warning("The watchdog could not look; trying again", exc_info=True)
            else:
                first = False
                for run_id, events in found.expired.items():
                    hub.publish(run_id, events)
                    self._stop_run(run_id)
                for run_id in found.to_drive:
                    self._spawn(run_id)
            await asyncio.sleep(watchdog.SECONDS)
