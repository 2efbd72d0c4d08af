"""The watchdog's rounds in one process."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable

from runs.events.hub import hub
from runs.events.tasks import for_ever
from runs.execution import watchdog
from runs.execution.watchdog import Findings
from runs.models.database import in_writer

FAILING = "The watchdog could not look; trying again"
FAILING_BEFORE = "The watchdog looks without what comes before; trying again"

logger = logging.getLogger(__name__)


class Watch:
    """Looks every ``seconds``, by default every ``watchdog.SECONDS``, from start to stop.

    ``before`` is awaited before each look. ``hint`` is given what it has found, for the runs that
    nobody drives; ``stop_run`` each run whose driver, wherever it is, should look at its row.
    """

    def __init__(
        self,
        hint: Callable[[Findings], Awaitable[None]],
        stop_run: Callable[[str], None],
        seconds: float | None = None,
        before: Callable[[], Awaitable[object]] | None = None,
    ):
        self.before = before
        self.hint = hint
        self.stop_run = stop_run
        self.first = True
        looking = for_ever(self._look, watchdog.SECONDS if seconds is None else seconds, FAILING)
        self.task = asyncio.create_task(looking, name="watchdog", context=contextvars.Context())

    @property
    def alive(self) -> bool:
        """Whether it still looks."""
        return not self.task.done()

    async def stop(self) -> None:
        """Look no more."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _look(self) -> None:
        if self.before is not None:
            try:
                await self.before()
            except Exception:  # what it would have hastened is found all the same, later
                logger.warning(FAILING_BEFORE, exc_info=True)
        found = await in_writer(watchdog.look, first=self.first)
        self.first = False
        for run_id, events in found.expired.items():
            hub.publish(run_id, events)
        for run_id in (*found.expired, *found.cancelling):
            self.stop_run(run_id)
        await self.hint(found)
