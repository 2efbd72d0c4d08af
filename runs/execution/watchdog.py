"""Finds what a lost hint or a lost driver left lying, what has expired, and a line that stands.

It only ends runs and repeats hints; it is no queue.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from runs.contract.status import DRIVEN, RunStatus
from runs.events.log import Event, StaleRun
from runs.execution import line
from runs.execution.endings import end_now
from runs.models import Run
from runs.models.columns import spelled
from runs.models.database import now
from runs.models.run import ACTIVE_VALUES, DRIVABLE_VALUES

SECONDS = 0.5  # between two looks
AT_ONCE = 100  # rows per look
#: A queued run that nobody took for this long is hinted at again.
FORGOTTEN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Findings:
    """What one look found: runs whose driver has gone silent, and queued ones that nobody took;
    what it ended, with the events to deliver; and runs whose driver may not know yet that they
    are to be cancelled."""

    silent: list[str]
    forgotten: list[str]
    expired: dict[str, list[Event]]
    cancelling: list[str]

    @property
    def to_drive(self) -> list[str]:
        """All runs that need a driver, those that had one first: somebody may be reading them."""
        return self.silent + self.forgotten


def look(*, first: bool = False) -> Findings:
    """Expire what is due; let in whom nobody is ahead of; list what nobody drives. One
    database unit.

    Args:
        first: the process has just started: queued runs are not given a second's grace.
    """
    at = now()
    expired = {run.id: events for run in due(at)[:AT_ONCE] if (events := expire(run))}
    for thread_id in line.standing().values_list("thread_id", flat=True)[:AT_ONCE]:
        with suppress(StaleRun), transaction.atomic():
            line.move_up(str(thread_id))
    return Findings(
        ids(silent(at)),
        ids(forgotten(at if first else at - FORGOTTEN)),
        expired,
        ids(cancelling(at)),
    )


def ids(rows: QuerySet[Run]) -> list[str]:
    """The first of the rows, as many as one look takes."""
    return list(rows.values_list("id", flat=True)[:AT_ONCE])


def due(at: datetime) -> QuerySet[Run]:
    """Runs whose time was up at ``at``, the most overdue first."""
    active = Run.objects.filter(status__in=spelled(ACTIVE_VALUES), expires_at__lte=at)
    rows = active.exclude(status=RunStatus.CANCELLING).order_by("expires_at")
    return rows.defer("line_messages")  # a hundred at once may have megabytes each


def silent(at: datetime) -> QuerySet[Run]:
    """Runs whose driver had gone silent by ``at``, the most silent first."""
    return undone().filter(status__in=sorted(DRIVEN), lease_until__lt=at).order_by("lease_until")


def forgotten(before: datetime) -> QuerySet[Run]:
    """Runs that were queued so long ago that somebody should have taken them, the oldest first."""
    rows = undone().filter(status=RunStatus.QUEUED, in_line=False, created_at__lt=before)
    # In the order of the index: for that of the rows, SQLite would read them all.
    return rows.order_by(F("lease_until").asc(nulls_first=True), "number")


def cancelling(at: datetime) -> QuerySet[Run]:
    """Runs that are to be cancelled by a driver that is alive."""
    rows = undone().filter(status=RunStatus.CANCELLING, lease_until__gte=at)
    return rows.order_by("lease_until")


def undone() -> QuerySet[Run]:
    """Runs that are driven or to be driven; by the condition of their index."""
    return Run.objects.filter(status__in=spelled(DRIVABLE_VALUES))


def expire(run: Run) -> list[Event]:
    """End a run whose time is up; no events if somebody moved it meanwhile."""
    try:
        with transaction.atomic():
            return end_now(run, RunStatus.EXPIRED)
    except StaleRun:
        return []
