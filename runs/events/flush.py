"""Deltas are delivered first and committed in groups: one transaction for many runs.

A driver numbers its deltas and hands them to the hub at once; here they wait, at most
``FLUSH_SECONDS`` and with a bound, for their commit. A flush also renews the lease.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from runs.contract.limits import (
    FLUSH_SECONDS,
    UNFLUSHED_CHARACTERS,
    UNFLUSHED_EVENTS,
    UNFLUSHED_SECONDS,
)
from runs.contract.status import RunStatus
from runs.events.log import Event, chunk
from runs.models import EventChunk, Run
from runs.models.database import TROUBLE, in_writer, now

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.25

HOLD = ("id", "epoch")  # who drives a run

MOVE_NUMBERS = """
UPDATE runs_run
SET next_number = told.column2 + 1, last_number = told.column2, lease_until = %%s
FROM (VALUES %s) AS told
WHERE runs_run.number = told.column1
"""


class Committed(NamedTuple):
    """The ids of the runs whose deltas were stored, and of those whose row another one is writing
    at this moment. All others are not ours any more, or have what cannot be stored."""

    stored: set[str]
    busy: set[str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Deltas of one run on their way into the log."""

    run: Run
    events: Sequence[Event]


class Buffer:
    """The deltas of one driven run that wait for their commit, and its lease."""

    def __init__(self, run: Run, lease_seconds: float, leased_at: float):
        """``run`` as it was claimed; ``leased_at``: the monotonic time before that."""
        self.run = run
        self.lease_seconds = lease_seconds
        self.lease_until = leased_at + lease_seconds
        self.waiting: list[Event] = []
        self.size = 0  # characters of what waits
        self.in_flight: Batch | None = None
        self.oldest = 0.0
        #: Set when a flush found that the run is no longer ours to write in this status (taken
        #: over, or being cancelled), or that what it has to write cannot be stored.
        self.refused = False
        self.changed = asyncio.Event()  # set when the above may have changed

    def add(self, event: Event) -> None:
        """Take in a delta that was numbered and is about to be delivered."""
        if not self.unflushed():
            self.oldest = time.monotonic()
        self.waiting.append(event)
        self.size += len(event.data)

    def unflushed(self) -> int:
        """How many events were delivered but are not committed."""
        return len(self.waiting) + (len(self.in_flight.events) if self.in_flight else 0)

    def renewed(self, asked_at: float) -> None:
        """The lease counts from ``asked_at``, before the renewal was sent."""
        self.lease_until = max(self.lease_until, asked_at + self.lease_seconds)
        self.changed.set()

    def refuse(self) -> None:
        """Learn from a flush that the run may no longer be written. This is final."""
        self.refused = True
        self.changed.set()

    def full(self) -> bool:
        """Whether nothing more may be delivered before a flush or a renewal.

        A crash skips ``NUMBER_JUMP`` numbers, more than may be delivered uncommitted; and
        past our own lease somebody else may be writing this run.
        """
        at = time.monotonic()
        late = self.unflushed() and at - self.oldest > UNFLUSHED_SECONDS
        many = self.unflushed() >= UNFLUSHED_EVENTS or self.size >= UNFLUSHED_CHARACTERS
        return bool(late) or many or at > self.lease_until

    def depart(self) -> Batch:
        """What the next flush is to store. What could not be stored yet goes again as it was: if
        it is in the log all the same, it is known there by its first number."""
        if self.in_flight is None:
            self.in_flight = Batch(self.run, self.waiting)
            self.waiting, self.size = [], 0
        return self.in_flight

    def arrived(self, asked_at: float) -> None:
        """Learn that what was on its way is stored, by a flush that was begun at ``asked_at``."""
        self.in_flight = None
        self.oldest = time.monotonic()
        self.renewed(asked_at)

    async def take(self) -> list[Event]:
        """What is left to commit, once no flush is under way: for the caller's own commit."""
        while self.in_flight and not self.refused:
            self.changed.clear()
            await self.changed.wait()
        left = [*(self.in_flight.events if self.in_flight else ()), *self.waiting]
        self.drop()
        return left

    def drop(self) -> None:
        """Forget what is not committed."""
        self.in_flight, self.waiting, self.size = None, [], 0


class Flusher:
    """Commits the waiting deltas of all runs that this process drives."""

    def __init__(self, lease_seconds: float):
        self.lease_seconds = lease_seconds
        self.dirty: dict[str, Buffer] = {}
        self.wake = asyncio.Event()
        self.closing = False

    def notice(self, buffer: Buffer) -> None:
        """Have ``buffer`` committed with the next flush."""
        self.dirty[buffer.run.id] = buffer
        self.wake.set()

    def close(self) -> None:
        """End once all that waits is committed."""
        self.closing = True
        self.wake.set()

    async def run(self) -> None:
        """Flush until closed, and what came before that."""
        while self.dirty or not self.closing:
            await self.wake.wait()
            await asyncio.sleep(FLUSH_SECONDS)  # gather
            self.wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Commit what waits now. A database in trouble is asked again with the same batches:
        what was delivered must not be lost, and must not be stored twice."""
        taken, self.dirty = self.dirty, {}
        # Of a refused one what was in flight waits for its driver.
        buffers = [b for b in taken.values() if b.unflushed() and not b.refused]
        asked_at, done = await self._commit([buffer.depart() for buffer in buffers])
        for buffer in buffers:
            if buffer.run.id in done.stored:
                buffer.arrived(asked_at)
            elif buffer.run.id not in done.busy:
                buffer.refuse()
                continue
            if buffer.unflushed():
                self.notice(buffer)

    async def _commit(self, batches: Sequence[Batch]) -> tuple[float, Committed]:
        while batches:
            asked_at = time.monotonic()
            try:
                return asked_at, await in_writer(commit, batches, self.lease_seconds)
            except TROUBLE:
                logger.warning("Deltas could not be committed; trying again", exc_info=True)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                if len(batches) == 1:  # the driver will not be able to commit it either
                    logger.exception("Deltas refused", extra={"run_id": batches[0].run.id})
                    break
                # What is wrong with one must not harm the others.
                found = [(await self._commit([batch]))[1] for batch in batches]
                stored, busy = (set[str]().union(*sets) for sets in zip(*found, strict=True))
                return asked_at, Committed(stored, busy)
        return 0.0, Committed(set(), set())


def commit(batches: Sequence[Batch], lease_seconds: float) -> Committed:
    """Store the batches whose run is still driven by us.

    A row that another one is writing is left for the next time: that one may stand still.

    A batch that is tried again after an unclear failure may be in the log already: only
    the holder of an epoch writes its numbers, so a conflict can only be with itself.
    """
    with transaction.atomic():
        run_ids = [batch.run.id for batch in batches]
        driven = Run.objects.filter(id__in=run_ids, status=RunStatus.IN_PROGRESS)
        free = set(driven.select_for_update(no_key=True, skip_locked=True).values_list(*HOLD))
        won = [batch for batch in batches if (batch.run.id, batch.run.epoch) in free]
        if won:
            move_numbers(won, now() + timedelta(seconds=lease_seconds))
        EventChunk.objects.bulk_create(
            [chunk(batch.run.id, batch.run.epoch, batch.events) for batch in won],
            ignore_conflicts=True,
        )
        held = set(driven.values_list(*HOLD)) if len(won) < len(batches) else free
    ours = {batch.run.id for batch in batches if (batch.run.id, batch.run.epoch) in held}
    stored = {batch.run.id for batch in won}
    return Committed(stored, ours - stored)


def move_numbers(batches: Sequence[Batch], lease_until: datetime) -> None:
    """Note the last number and the lease of many runs, whose rows the caller holds, in one
    statement: an update for each run would be most of a flush."""
    told = [n for batch in batches for n in (batch.run.number, batch.events[-1].number)]
    until = connection.ops.adapt_datetimefield_value(lease_until)
    with connection.cursor() as cursor:
        cursor.execute(MOVE_NUMBERS % ", ".join(["(%s, %s)"] * len(batches)), [until, *told])
