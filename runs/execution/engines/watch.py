"""The watchdog's rounds in one process."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable

from django.db import Error

from runs.events.hub import hub
from runs.execution import watchdog
from runs.execution.watchdog import Findings
from runs.models.database import in_writer

logger = logging.getLogger(__name__)


class Watch:
    """Looks every ``seconds``, by default every ``watchdog.SECONDS``, from start to stop.

    ``hint`` is given what a look has found, for the runs that nobody drives; ``stop_run`` each run
    whose driver, wherever it is, should look at its row.
    """

    def __init__(
        self,
        hint: Callable[[Findings], Awaitable[None]],
        stop_run: Callable[[str], None],
        seconds: float | None = None,
    ):
        self.hint = hint
        self.stop_run = stop_run
        self.seconds = watchdog.SECONDS if seconds is None else seconds
        self.task = asyncio.create_task(
            self._look_always(), name="watchdog", context=contextvars.Context()
        )

    @property
    def alive(self) -> bool:
        """Whether it still looks."""
        return not self.task.done()

    async def stop(self) -> None:
        """Look no more."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _look_always(self) -> None:
        first = True
        while True:
            try:
                found = await in_writer(watchdog.look, first=first)
                for run_id, events in found.expired.items():
                    hub.publish(run_id, events)
                for run_id in (*found.expired, *found.cancelling):
                    self.stop_run(run_id)
                await self.hint(found)
            except Error:
                logger.warning("The watchdog could not look; trying again", exc_info=True)
            else:
                first = False
            await asyncio.sleep(self.seconds)
