"""Finds what a lost hint or a lost driver left lying, what has expired, and a line that stands.

It only ends runs and repeats hints; it is no queue.
"""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from runs.contract.limits import CLAIMS
from runs.contract.status import DRIVEN, RunStatus
from runs.events.log import Event, StaleRun
from runs.execution import line
from runs.execution.endings import end_now
from runs.models import Run
from runs.models.columns import spelled
from runs.models.database import TROUBLE, now
from runs.models.run import ACTIVE_VALUES, DRIVABLE_VALUES

logger = logging.getLogger(__name__)

SECONDS = 0.5  # between two looks
AT_ONCE = 100  # rows per look
#: A queued run that nobody took for this long is hinted at again.
FORGOTTEN = timedelta(seconds=1)
#: Interrupted more than once in this turn, so that it may be what kills its drivers.
SUSPECT = Q(status=RunStatus.IN_PROGRESS, claims__gt=1, claims__lt=CLAIMS)


@dataclass(frozen=True, slots=True)
class Findings:
    """What one look found: runs whose driver has gone silent, those apart that may have been to
    blame for it; queued ones that nobody took; what it ended, with the events to deliver; and runs
    whose driver may not know yet that they are to be cancelled."""

    silent: list[str]
    suspects: list[str]
    forgotten: list[str]
    expired: dict[str, list[Event]]
    cancelling: list[str]


def look(*, first: bool = False) -> Findings:
    """Expire what is due; let in whom nobody is ahead of; list what nobody drives. One
    database unit.

    Args:
        first: the process has just started: queued runs are not given a second's grace.
    """
    at = now()
    expired = {run.id: events for run in due(at)[:AT_ONCE] if (events := expire(run))}
    for thread_id in line.standing().values_list("thread_id", flat=True)[:AT_ONCE]:
        move_up(str(thread_id))
    return Findings(
        endangered_first(silent(at).exclude(SUSPECT)),
        endangered_first(silent(at).filter(SUSPECT)),
        ids(forgotten(at if first else at - FORGOTTEN)),
        expired,
        ids(cancelling(at)),
    )


def ids(rows: QuerySet[Run]) -> list[str]:
    """The first of the rows, as many as one look takes."""
    return list(rows.values_list("id", flat=True)[:AT_ONCE])


def endangered_first(rows: QuerySet[Run]) -> list[str]:
    """The ids of the first of the rows, those that were interrupted most often before the others.

    They are the next to be given up. Among equals by chance: several workers look at the same time.
    """
    found = list(rows.values_list("claims", "id")[:AT_ONCE])
    random.shuffle(found)
    found.sort(key=lambda row: -row[0])
    return [run_id for _, run_id in found]


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
    """End a run whose time is up; no events if somebody moved it meanwhile.

    One that cannot be ended must not keep the others from it.
    """
    try:
        with transaction.atomic():
            return end_now(run, RunStatus.EXPIRED)
    except StaleRun:
        return []
    except TROUBLE:
        raise  # no other one can be ended now
    except Exception:
        logger.exception("a run could not expire", extra={"run_id": run.id})
        return []


def move_up(thread_id: str) -> None:
    """Let the first of a line begin, unless somebody did meanwhile."""
    try:
        with transaction.atomic():
            line.move_up(thread_id)
    except StaleRun:
        pass
    except TROUBLE:
        raise
    except Exception:
        logger.exception("a line could not move up", extra={"thread_id": thread_id})
