"""By what workers notice at once that one of them has died.

A worker holds a lock of its own in the database for as long as it lives. The kernel closes the
connections of a process that dies, however it dies, and with them goes the lock: the others see
it missing, and need not wait until the leases of the dead have run out. A machine that is gone, or
a process that stands still, tells nobody: then it is by the leases that the runs are found.
"""

import asyncio
import contextvars
import logging
import re
import secrets
import time
import uuid

from django.db import connection
from django.db.models.functions import Now
from procrastinate.contrib.django.utils import connector_params
from psycopg import AsyncConnection

from runs.contract.status import DRIVEN
from runs.events.tasks import for_ever
from runs.lifecycle import runs as lifecycle
from runs.models import Run
from runs.models.database import in_writer

logger = logging.getLogger(__name__)

LOCKS = 1_381_322_323  # of this purpose; which one of them is the worker's number
LOOK_SECONDS = 1.0  # between two looks whether the lock is still there
RETRY_SECONDS = 0.2  # sooner than anybody has looked twice
#: After the database, or our connection to it, was away: the others may take so long to be back.
SETTLING_SECONDS = 5.0
OWNER = re.compile(r"([0-9a-f]{8})\.")
ABSENT = "This worker would not be missed if it died, until its leases run out; trying again"

# Shared, for our own former connection may still have it where its end has not been noticed.
TAKE = f"SELECT pg_advisory_lock_shared({LOCKS}, %s)"
UP = "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float"
HELD = f"""
    SELECT objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND classid = {LOCKS} AND objsubid = 2 AND granted
    AND datname = current_database()
"""  # noqa: S608 - a number of ours


class Presence:
    """This worker's lock, and what it knows of the locks of the others."""

    def __init__(self) -> None:
        self.number = secrets.randbelow(2**31)
        self.held = False
        self.settled_at = 0.0  # from then on a missing lock means a death
        self.missed: frozenset[int] = frozenset()  # whose locks were missing at the last look
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the lock, and keep it until ``stop``. Starting twice does nothing."""
        if self.task is not None:
            return
        first = asyncio.Event()

        async def hold() -> None:
            try:
                await self._hold(first)
            finally:
                self.held = False
                self.settled_at = time.monotonic() + SETTLING_SECONDS
                first.set()  # without the lock the leases have to do

        holding = for_ever(hold, RETRY_SECONDS, ABSENT)
        self.task = asyncio.create_task(holding, name="presence", context=contextvars.Context())
        await first.wait()

    async def stop(self) -> None:
        """Give the lock back. Nothing may be leased any more."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def _hold(self, first: asyncio.Event) -> None:
        """Hold the lock until its connection ends."""
        async with await AsyncConnection.connect(**connector_params(), autocommit=True) as ours:
            await ours.execute(TAKE, [self.number])
            ((up,),) = await (await ours.execute(UP)).fetchall()  # for so many seconds
            self.settled_at = max(self.settled_at, time.monotonic() + SETTLING_SECONDS - up)
            self.held = True
            first.set()
            while True:
                async for _ in ours.notifies(timeout=LOOK_SECONDS):
                    pass  # none is asked for; it ends at once when the connection does
                rows = await (await ours.execute(HELD)).fetchall()
                if (self.number,) not in rows:
                    raise ConnectionError("a pooler has given the connection to somebody else")

    def new_owner(self) -> str:
        """A name for one claim, by which the others know whose lock to look for. While there is
        no lock it names none."""
        return f"{self.number:08x}.{uuid.uuid4().hex}" if self.held else uuid.uuid4().hex

    async def look(self) -> None:
        """End the leases of workers whose locks are missing for the second time: one that has but
        lost its connection has taken its lock again by then."""
        if self.held and time.monotonic() >= self.settled_at:
            self.missed = await in_writer(end_leases, self.number, self.missed)
        else:
            self.missed = frozenset()


def numbers_held() -> frozenset[int]:
    """The numbers of the workers that live. One database unit."""
    with connection.cursor() as cursor:
        cursor.execute(HELD)
        return frozenset(number for (number,) in cursor.fetchall())


def end_leases(ours: int, missed: frozenset[int]) -> frozenset[int]:
    """End the leases of the workers that have died. One database unit.

    Args:
        ours: the number of this worker. While its own lock is missing, all may be.
        missed: the numbers that have been missing before.

    Returns: the numbers that are missing now.
    """
    leased = Run.objects.filter(status__in=sorted(DRIVEN), lease_until__gte=Now()).order_by()
    owners = {owner: number_of(owner) for owner in leased.values_list("lease_owner", flat=True)}
    present = numbers_held()  # after the owners: whoever has leased had his lock before
    if ours not in present:
        return frozenset()
    missing = {owner: number for owner, number in owners.items() if number not in present}
    dead = [owner for owner, number in missing.items() if number in missed]
    count = lifecycle.abandon(dead) if dead else 0
    if count:
        logger.warning("a worker has died; its runs are taken over", extra={"runs": count})
    return frozenset(number for number in missing.values() if number is not None)


def number_of(owner: str) -> int | None:
    """The number of the worker that ``new_owner`` has named; None if it named none."""
    named = OWNER.match(owner)
    return int(named[1], 16) if named else None
