"""Erasing threads by the hundred: what would go, and the deletion itself.

One by one, :func:`runs.operations.threads.delete_thread` is right; it loads all that belongs to
a thread. Here the rows of many idle threads go table by table.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from runs.contract.errors import NotFound
from runs.models import (
    EventChunk,
    IdempotencyKey,
    Message,
    Project,
    Run,
    RunStep,
    Thread,
    ToolCall,
)
from runs.models.columns import spelled
from runs.models.figures import with_activity
from runs.models.run import ACTIVE_VALUES
from runs.operations.threads import cancel_unended, delete_thread


@dataclass(slots=True)
class Tally:
    """Rows by kind, in plain words, and how many of the objects meant stay because they are in
    use."""

    rows: Counter[str] = field(default_factory=Counter)
    kept: int = 0


def belongings(threads: Any) -> list[QuerySet[Any]]:
    """All rows of the threads with these ids, in an order in which they can be deleted.

    Args:
        threads: ids, or a query for them.
    """
    runs = Run.objects.filter(thread_id__in=threads).order_by()
    of_run = {"run_id__in": runs.values("id")}
    return [
        IdempotencyKey.objects.filter(thread_id__in=threads),
        ToolCall.objects.filter(**of_run),
        EventChunk.objects.filter(**of_run),
        Message.objects.filter(thread_id__in=threads),
        RunStep.objects.filter(**of_run),
        runs,
        Thread.objects.filter(id__in=threads),
    ]


def kind(rows: QuerySet[Any]) -> str:
    """What the rows of a query are called."""
    return str(rows.model._meta.verbose_name_plural)


def busy(threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Those of ``threads`` on which a run has not ended."""
    unended = Run.objects.filter(status__in=spelled(ACTIVE_VALUES)).order_by()
    return threads.filter(id__in=unended.values("thread_id"))


def quiet(threads: QuerySet[Thread], since: datetime) -> QuerySet[Any]:
    """Those of ``threads`` to which nothing has been added since then."""
    return with_activity(threads.filter(created_at__lt=since)).filter(last_activity__lt=since)


def threads_meant(
    project: Project | None, chosen: Sequence[int] | None, quiet_since: datetime | None
) -> QuerySet[Any]:
    """The threads of a selection."""
    threads: QuerySet[Thread] = Thread.objects.order_by("number")
    if project is not None:
        threads = threads.filter(project_id=project.id)
    if chosen is not None:
        threads = threads.filter(number__in=chosen)
    return threads if quiet_since is None else quiet(threads, quiet_since)


def count(threads: QuerySet[Thread], *, cancel: bool) -> Tally:
    """What :func:`erase` would delete of ``threads``. What runs write until they are cancelled
    comes on top."""
    locked = busy(threads).values("id")
    going = threads if cancel else threads.exclude(id__in=locked)
    ids = going.order_by().values("id")
    return Tally(
        Counter({kind(rows): rows.count() for rows in belongings(ids)}),
        0 if cancel else locked.count(),
    )


def cancel_first(threads: QuerySet[Thread], still_at_work: Callable[[], None]) -> bool:
    """Cancel the runs of ``threads`` that have not ended; whether there were any."""
    found = list(busy(threads))
    for thread in found:
        still_at_work()
        try:
            cancel_unended(thread)
        except NotFound:  # somebody deleted it meanwhile
            continue
    return bool(found)


def erase(threads: QuerySet[Thread], *, cancel: bool) -> Tally:
    """Delete ``threads`` with all that belongs to them, in the caller's transaction.

    A thread with an active run is kept, unless ``cancel``: then it is deleted as a caller of
    the API deletes it.
    """
    tally = Tally()
    # First locked, then looked at: what is added to a thread is added under this lock.
    held = list(threads.values_list("id", flat=True).select_for_update(no_key=True, of=("self",)))
    meant = threads.filter(id__in=held)
    if cancel:
        hold_runs(held)
    for thread in busy(meant):
        if cancel:
            tally.rows.update(rows_of([thread.id]))
            delete_thread(thread)
        else:
            tally.kept += 1
    idle = list(meant.exclude(id__in=busy(meant).values("id")).values_list("id", flat=True))
    for rows in belongings(idle) if idle else ():
        tally.rows[kind(rows)] += rows._raw_delete(rows.db)
    return tally


def hold_runs(threads: Iterable[str]) -> None:
    """Keep everybody from the active runs of locked threads, taken in the order in which drivers
    flush several at once and renew their leases."""
    unended = Run.objects.filter(thread_id__in=list(threads), status__in=spelled(ACTIVE_VALUES))
    list(unended.select_for_update(no_key=True).order_by("number").values_list("number"))


def rows_of(threads: Iterable[str]) -> dict[str, int]:
    """How many rows of each kind the threads with these ids have."""
    return {kind(rows): rows.count() for rows in belongings(list(threads))}
