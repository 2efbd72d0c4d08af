"""What the drivers of one process share: flusher, leases, the models behind them."""

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from django.db import Error

from runs.contract.status import RunStatus
from runs.events.flush import Buffer, Flusher
from runs.events.tasks import for_ever
from runs.execution.upstreams import Upstreams
from runs.lifecycle import runs as lifecycle
from runs.models import Run
from runs.models.database import in_writer

LAST_FLUSH_SECONDS = 5.0
FAILING = "Leases could not be renewed; trying again"


class Holder(Protocol):
    """A driver, as far as its worker knows it."""

    run: Run
    buffer: Buffer

    def stop(self) -> None:
        """Look at the run's row at once."""
        ...


class Worker:
    """One process's share of the work. Lives on one loop, between start and stop."""

    def __init__(
        self,
        upstreams: Upstreams,
        lease_seconds: float,
        new_owner: Callable[[], str] = lambda: uuid.uuid4().hex,
    ):
        self.upstreams = upstreams
        #: Gives a name for one claim; no other claim ever has it.
        self.new_owner = new_owner
        self.lease_seconds = lease_seconds
        self.flusher = Flusher(lease_seconds)
        self.drivers: dict[str, Holder] = {}  # by owner
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to flush and to renew leases."""
        self.tasks = [
            asyncio.create_task(self.flusher.run(), name="flusher"),
            asyncio.create_task(
                for_ever(self.renew_leases, self.lease_seconds / 3, FAILING), name="leases"
            ),
        ]

    async def stop(self, owners: Collection[str]) -> None:
        """Commit what was delivered, let others take at once what ``owners`` held, and end."""
        flusher, leases = self.tasks
        self.flusher.close()
        leases.cancel()
        await asyncio.wait([flusher, leases], timeout=LAST_FLUSH_SECONDS)
        flusher.cancel()
        with suppress(Error):
            await in_writer(lifecycle.release, owners)

    @property
    def alive(self) -> bool:
        """Whether the parts that must never end are running."""
        return bool(self.tasks) and not any(task.done() for task in self.tasks)

    @contextmanager
    def holding(self, owner: str, driver: Holder) -> Iterator[None]:
        """Keep the driver's lease while inside the block."""
        self.drivers[owner] = driver
        try:
            yield
        finally:
            del self.drivers[owner]

    def stop_run(self, run_id: str) -> None:
        """Have the driver of a run, if it is here, look at the run's row."""
        for driver in self.drivers.values():
            if driver.run.id == run_id:
                driver.stop()

    async def renew_leases(self) -> None:
        """Renew all leases; whoever lost his learns it here, and so does one whose cancel came
        while the hint was lost."""
        held = dict(self.drivers)
        if not held:
            return
        asked_at = time.monotonic()
        found, busy = await in_writer(lifecycle.renew, list(held), self.lease_seconds)
        for owner, driver in held.items():
            if found.get(owner) == RunStatus.IN_PROGRESS:
                driver.buffer.renewed(asked_at)
            elif owner in self.drivers and owner not in busy:
                driver.stop()
