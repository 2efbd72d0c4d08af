"""Working a cleanup off: batch by batch, each one transaction with its progress.

So a cleanup goes on after any crash where the last batch ended, in whatever process takes it up.
Between two batches requests and drivers get their turn at the database.
"""

import bisect
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q

from runs.contract.cleanup import Verb
from runs.contract.errors import BadRequest
from runs.models import Cleanup
from runs.models.database import TROUBLE, now, on_sqlite
from runs.operations.cleanup import WAYS, meant

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)  # after this silence somebody else may go on
RENEW_SECONDS = 1.0  # between two renewals while a batch is prepared
AT_MOST = 500  # objects in one batch
TRIES = 20  # of a batch that finds the database busy
RETRY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a batch shall take, and the pause after it (seconds)."""

    batch: float
    pause: float

    def next_size(self, size: int, spent: float) -> int:
        """How many objects the next batch takes, after one of ``size`` took ``spent``.

        Below ``FEW`` a batch hardly gets shorter, unless the objects themselves are large.
        """
        if spent > self.batch:
            least = 1 if spent > LARGE * self.batch else min(FEW, size)
            return max(size // 2, least)
        return min(size * 2, AT_MOST) if spent < self.batch / 2 else size


#: SQLite has one writer at a time, and who waits for it asks again at most 100 ms later.
SQLITE = Pace(batch=0.05, pause=0.1)
POSTGRESQL = Pace(batch=0.25, pause=0.05)
FEW = 10
LARGE = 10  # times what a batch shall take


class Lost(Exception):
    """The cleanup was stopped, or somebody else works on it."""


def work_on_cleanup(cleanup: Cleanup) -> Cleanup:
    """Work a cleanup that was begun off to its end, or until it is stopped.

    Raises:
        BadRequest: somebody else works on it, or nobody may.
        OperationalError: the database stayed busy. What was done is done; begin it again.
    """
    claim_cleanup(cleanup)
    pace = SQLITE if on_sqlite() else POSTGRESQL
    size = FEW
    try:
        while (spent := work_on_batch(cleanup, size)) is not None:
            size = pace.next_size(size, spent)
            time.sleep(pace.pause)
    except Lost:
        pass
    finally:
        held = Cleanup.objects.filter(number=cleanup.number, epoch=cleanup.epoch)
        held.update(lease_owner="", lease_until=None)
    cleanup.refresh_from_db()
    return cleanup


def work_on_cleanup_in_background(cleanup: Cleanup) -> None:
    """Work it off in a thread of this process. If that dies, it stands as interrupted."""

    def run() -> None:
        try:
            work_on_cleanup(cleanup)
        except (BadRequest, *TROUBLE):  # its page says how it stands
            logger.warning("cleanup %s was not worked off", cleanup.id, exc_info=True)
        finally:
            connection.close()

    threading.Thread(target=run, name=f"cleanup-{cleanup.number}", daemon=True).start()


def claim_cleanup(cleanup: Cleanup) -> None:
    """Become the one who works on a cleanup.

    Raises:
        BadRequest: somebody else does, or nobody may.
    """
    at = now()
    idle = Q(lease_until=None) | Q(lease_until__lt=at)
    rows = Cleanup.objects.filter(idle, number=cleanup.number, epoch=cleanup.epoch)
    may = rows.filter(ended_at=None, stopped_at=None).exclude(started_at=None)
    cleanup.lease_owner = uuid.uuid4().hex
    won = may.update(
        epoch=cleanup.epoch + 1, lease_owner=cleanup.lease_owner, lease_until=at + LEASE
    )
    if not won:
        raise BadRequest("This cleanup is stopped, at its end, or somebody else's.")
    cleanup.epoch += 1


def record_progress(cleanup: Cleanup, **columns: Any) -> None:
    """Write progress, and prolong the lease.

    Raises:
        Lost: the cleanup is not ours any more, or was stopped.
    """
    ours = Cleanup.objects.filter(number=cleanup.number, epoch=cleanup.epoch)
    going = ours.filter(stopped_at=None, ended_at=None)
    if not going.update(lease_until=now() + LEASE, **columns):
        raise Lost(cleanup.id)
    for name, value in columns.items():
        setattr(cleanup, name, value)


def work_on_batch(cleanup: Cleanup, size: int) -> float | None:
    """Do the next batch; the seconds for which it kept others out, or None if nothing is left.

    Raises:
        Lost: the cleanup is not ours any more, or was stopped.
    """
    way = WAYS[Verb(cleanup.verb)]
    numbers = next_numbers(cleanup, size)
    if not numbers:
        record_progress(cleanup, ended_at=now())
        return None
    record_progress(
        cleanup
    )  # not ours any more, or stopped in the pause: what prepares may write, too
    rows = meant(cleanup, numbers)
    prepared = way.prepare(rows, cleanup.cancel, still_at_work(cleanup))
    after = numbers[-1] if prepared.upto is None else prepared.upto
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                began = time.monotonic()  # waiting for one's turn is nobody's burden
                record_progress(
                    cleanup
                )  # first: whoever takes it over waits here until this commits
                tally = way.carry_out(rows, cleanup.cancel, prepared.what)
                done = dict(Counter(cleanup.done) + tally.rows)
                record_progress(cleanup, after=after, done=done, kept=cleanup.kept + tally.kept)
            return time.monotonic() - began
        except TROUBLE:  # busy, or in a knot with another writer
            logger.warning("A batch of a cleanup is tried again", exc_info=True)
            cleanup.refresh_from_db(fields=["after", "done", "kept"])
            time.sleep(RETRY_SECONDS)
    raise OperationalError("The database stayed busy.")


def still_at_work(cleanup: Cleanup) -> Callable[[], None]:
    """What is called while a batch is prepared, which may take longer than the lease lasts.

    Raises, when called:
        Lost: the cleanup is not ours any more, or was stopped.
    """
    said = time.monotonic()

    def say() -> None:
        nonlocal said
        if time.monotonic() - said >= RENEW_SECONDS:
            record_progress(cleanup)
            said = time.monotonic()

    return say


def next_numbers(cleanup: Cleanup, size: int) -> list[int]:
    """The numbers of the next rows, ascending."""
    if cleanup.chosen is not None:
        start = bisect.bisect_right(cleanup.chosen, cleanup.after)
        found: list[int] = cleanup.chosen[start : start + size]
        return found
    rows = meant(cleanup, None).filter(number__gt=cleanup.after)
    return list(rows.values_list("number", flat=True)[:size])
