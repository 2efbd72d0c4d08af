"""Moves of a run: every one a single UPDATE that checks what the row was when it was read.

So two drivers, or a driver and a cancel, cannot both win, on SQLite as on PostgreSQL.
Events are the caller's part: whoever holds the run writes them in the same transaction.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from runs.contract.limits import NUMBER_JUMP
from runs.contract.status import DRIVEN, MOVES, STAMP, TERMINAL, RunStatus
from runs.events.log import StaleRun
from runs.lifecycle.usage import note_usage
from runs.models import Run
from runs.models.database import now

__all__ = [
    "IllegalMove",
    "StaleRun",
    "abandon",
    "claim",
    "hold",
    "leave_line",
    "move",
    "release",
    "renew",
    "take_over",
    "write",
]

ANYTHING = Q()


class IllegalMove(Exception):
    """The status table has no such move: a defect here."""


def move(run: Run, to: RunStatus, **fields: Any) -> Run:
    """Move ``run`` to status ``to`` and set ``fields`` with it.

    The first entry into a status is stamped with the database's time. A run that ends or
    waits is nobody's: its lease is cleared. One that ends stands in no line any more, and what it
    took is noted: the caller's transaction has both.

    Raises:
        IllegalMove: the status table has no such move.
        StaleRun: another writer got there first.
    """
    if to not in MOVES[RunStatus(run.status)]:
        raise IllegalMove(f"{run.id}: {run.status} -> {to}")
    column = STAMP.get(to)
    if column and getattr(run, column) is None:
        fields.setdefault(column, now())
    if to in TERMINAL:
        fields |= {"required_action": None, "in_line": False, "line_messages": None}
    if to not in DRIVEN:
        fields |= {"lease_owner": "", "lease_until": None}
    write(run, status=to, **fields)
    if to in TERMINAL:
        note_usage(run)
    return run


def write(run: Run, guard: Q = ANYTHING, **fields: Any) -> Run:
    """Set ``fields`` if the row still has the status and epoch with which it was read, and
    is as ``guard`` says.

    Raises:
        StaleRun: it has not, or is not.
    """
    ours = Run.objects.filter(guard, id=run.id, status=run.status, epoch=run.epoch)
    won = ours.update(**fields)
    if not won:
        raise StaleRun(run.id)
    for name, value in fields.items():  # no re-read: we know what we wrote
        setattr(run, name, value)
    return run


def hold(run: Run) -> None:
    """Keep others from the row until the transaction ends.

    Does not wait for it: whoever has it may be frozen, and a lease that was given before the wait
    could be over after it.

    Raises:
        StaleRun: somebody else is writing it.
    """
    free = Run.objects.select_for_update(no_key=True, skip_locked=True).filter(id=run.id)
    if not free.values_list("number"):
        raise StaleRun(run.id)


def claim(run: Run, owner: str, lease_seconds: float, **fields: Any) -> Run:
    """Become the driver of a queued run, or of one whose driver has gone silent; set
    ``fields`` with it.

    Raises:
        StaleRun: it is neither, stands in line, or somebody else was faster.
    """
    if run.in_line:  # its turn may have come since it was read: then a hint has, too
        raise StaleRun(run.id)
    at = now()
    lease: dict[str, Any] = {
        "lease_owner": owner,
        "lease_until": at + timedelta(seconds=lease_seconds),
        "claims": run.claims + 1,
        "epoch": run.epoch + 1,
        **fields,
    }
    if run.status == RunStatus.QUEUED:
        return move(run, RunStatus.IN_PROGRESS, **lease)
    if run.status in DRIVEN and lapsed(run, at):
        # Its driver may renew the lease, or flush, until this very moment.
        return jump(write(run, Q(lease_until=run.lease_until), **lease))
    raise StaleRun(run.id)


def lapsed(run: Run, at: datetime) -> bool:
    """Whether the lease of a driven run has run out."""
    return run.lease_until is None or run.lease_until < at


def leave_line(run: Run) -> Run:
    """Let a run in line begin: from now on it is queued as any other.

    Raises:
        StaleRun: it stands in line no more.
    """
    return write(run, Q(in_line=True), in_line=False, line_messages=None)


def take_over(run: Run) -> Run:
    """Fence off whoever drives ``run``, in order to end it oneself.

    Numbers jump past whatever the driver may have delivered without commit.

    Raises:
        StaleRun: another writer got there first.
    """
    write(run, epoch=run.epoch + 1, lease_owner="", lease_until=None)
    return jump(run) if run.status in DRIVEN else run


def jump(run: Run) -> Run:
    """Number on past whatever the driver that was fenced off may have shown.

    The numbers are read anew: its last flushes moved them, and nothing that a write compares.
    """
    run.refresh_from_db(fields=["next_number", "last_number"])
    return write(run, next_number=run.next_number + NUMBER_JUMP)


def renew(owners: Collection[str], lease_seconds: float) -> tuple[dict[str, RunStatus], set[str]]:
    """Prolong the leases of ``owners`` (one owner name per claim).

    Whoever holds a row, and stands still, must not keep the others from theirs.

    Returns: status by owner, for those whose lease was prolonged; and the owners of rows that
        somebody else is writing.
    """
    held = Run.objects.filter(lease_owner__in=owners, status__in=sorted(DRIVEN))
    with transaction.atomic():
        ours = held.select_for_update(no_key=True, skip_locked=True)
        free = ours.values_list("id", "lease_owner", "status")
        found = {run_id: (owner, RunStatus(status)) for run_id, owner, status in free}
        until = now() + timedelta(seconds=lease_seconds)
        Run.objects.filter(id__in=list(found)).update(lease_until=until)
        busy = held.exclude(id__in=list(found)).values_list("lease_owner", flat=True)
        return dict(found.values()), set(busy)


def release(owners: Iterable[str]) -> None:
    """Let others take over at once what ``owners`` hold. Whoever stops as he was told has not
    been killed by his runs: they lose no claim by it."""
    held = Run.objects.filter(lease_owner__in=list(owners), status__in=sorted(DRIVEN))
    held.update(lease_until=now(), claims=Greatest(F("claims") - 1, 0))


def abandon(owners: Collection[str]) -> int:
    """Let others take over at once what dead workers hold under the names ``owners``; rows that
    somebody is writing are left to their leases.

    Returns: how many runs that are.
    """
    held = Run.objects.filter(
        lease_owner__in=owners, status__in=sorted(DRIVEN), lease_until__gte=now()
    )
    with transaction.atomic():
        free = held.select_for_update(no_key=True, skip_locked=True).values_list("id", flat=True)
        return Run.objects.filter(id__in=list(free)).update(lease_until=now())
