"""Cleaning up: what it can do, the plan with the figures of a dry run, begin and stop.

``runs.operations.batches`` works off what was begun.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from runs.contract.cleanup import Verb
from runs.contract.errors import BadRequest
from runs.models import Cleanup, Project
from runs.models.database import now
from runs.operations import compaction, erase
from runs.operations.erase import Tally

PART = 1000  # chosen numbers in one statement; databases bound their parameters
PLANS_LAST = timedelta(days=1)
#: Readers in other processes look at the log once a second: so long it stays there once the runs
#: of a thread were cancelled.
LAST_LOOK_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the rows of a batch were prepared to. ``upto``: the number of the row with which the
    batch ends before its time, because its rows are large."""

    what: Any = None
    upto: int | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How one verb is done. ``prepare`` may take its time and be done twice, and says between
    two rows that it is still at work; ``carry_out`` is given what was prepared, and is a part of
    the batch's transaction."""

    meant: Callable[[Project | None, Sequence[int] | None, datetime | None], QuerySet[Any]]
    count: Callable[[QuerySet[Any], bool], Tally]
    prepare: Callable[[QuerySet[Any], bool, Callable[[], None]], Prepared]
    carry_out: Callable[[QuerySet[Any], bool, Any], Tally]


def cancel_and_wait(
    threads: QuerySet[Any], cancel: bool, still_at_work: Callable[[], None]
) -> Prepared:
    """Cancel what has to be, and let its readers in other processes read their ending."""
    if cancel and erase.cancel_first(threads, still_at_work):
        time.sleep(LAST_LOOK_SECONDS)
    return Prepared()


def prepare_logs(runs: QuerySet[Any], _: bool, still_at_work: Callable[[], None]) -> Prepared:
    """Compact logs in memory: some, if they are large."""
    return Prepared(*compaction.prepare(runs, still_at_work))


WAYS = {
    Verb.ERASE: Way(
        erase.threads_meant,
        lambda threads, cancel: erase.count(threads, cancel=cancel),
        cancel_and_wait,
        lambda threads, cancel, _: erase.erase(threads, cancel=cancel),
    ),
    Verb.COMPACT: Way(
        compaction.runs_meant,
        lambda runs, _: compaction.count_logs(runs),
        prepare_logs,
        lambda _, __, logs: compaction.replace_logs(logs),
    ),
}


def dry_run_cleanup(
    verb: Verb,
    *,
    asked_by: str = "",
    project: Project | None = None,
    chosen: Iterable[int] | None = None,
    quiet_since: datetime | None = None,
    cancel: bool = False,
) -> Cleanup:
    """Count what a cleanup would do: a plan that can be saved and begun. Writes nothing.

    Args:
        chosen: the numbers of the rows, if they were chosen one by one.
        quiet_since: only threads to which nothing was added since; runs made before.
        cancel: erase threads with active runs too, which are cancelled first.
    """
    return counted(
        Cleanup(
            verb=verb,
            asked_by=asked_by[:150],
            project=project,
            chosen=None if chosen is None else sorted(set(chosen)),
            quiet_since=quiet_since,
            cancel=cancel,
            created_at=now(),
        )
    )


def plan_cleanup(verb: Verb, **selection: Any) -> Cleanup:
    """As :func:`dry_run_cleanup`, and keep the plan for a day, to be begun."""
    Cleanup.objects.filter(started_at=None, created_at__lt=now() - PLANS_LAST).delete()
    cleanup = dry_run_cleanup(verb, **selection)
    cleanup.save(force_insert=True)
    return cleanup


def replan_cleanup(cleanup: Cleanup, *, cancel: bool) -> Cleanup:
    """Count again, with active runs cancelled first or not.

    Raises:
        BadRequest: it was begun, perhaps while this counted, or is gone.
    """
    cleanup.cancel = cancel
    counted(cleanup)
    planned = Cleanup.objects.filter(number=cleanup.number, started_at=None)
    if not planned.update(cancel=cancel, counts=cleanup.counts, busy=cleanup.busy):
        raise BadRequest("This cleanup was begun, or is gone; plan another one.")
    return cleanup


def counted(cleanup: Cleanup) -> Cleanup:
    """The plan with its figures."""
    rows: Counter[str] = Counter()
    cleanup.busy = 0
    for part in parts(cleanup.chosen):
        tally = WAYS[Verb(cleanup.verb)].count(meant(cleanup, part), cleanup.cancel)
        rows.update(tally.rows)
        cleanup.busy += tally.kept
    cleanup.counts = dict(+rows)
    return cleanup


def parts(chosen: list[int] | None) -> Iterator[list[int] | None]:
    """Chosen numbers in parts that fit into a statement; None, once, if none were chosen."""
    if chosen is None:
        yield None
        return
    for start in range(0, len(chosen), PART):
        yield chosen[start : start + PART]


def meant(cleanup: Cleanup, chosen: Sequence[int] | None) -> QuerySet[Any]:
    """The rows of the cleanup's selection, or those of them with the numbers ``chosen``."""
    return WAYS[Verb(cleanup.verb)].meant(cleanup.project, chosen, cleanup.quiet_since)


def total(cleanup: Cleanup) -> int:
    """How many rows a cleanup is about, of all kinds."""
    return sum(cleanup.counts.values())


def begin_cleanup(cleanup: Cleanup) -> None:
    """Let a planned, stopped or interrupted cleanup be worked on.

    Raises:
        BadRequest: it is at an end, or somebody works on it.
    """
    at = now()
    idle = Q(lease_until=None) | Q(lease_until__lt=at)
    rows = Cleanup.objects.filter(idle, number=cleanup.number, ended_at=None)
    if not rows.update(started_at=cleanup.started_at or at, stopped_at=None):
        raise BadRequest("This cleanup is at its end, or being worked on.")
    cleanup.refresh_from_db()


def stop_cleanup(cleanup: Cleanup) -> None:
    """Have whoever works on a cleanup stop after the batch under way.

    Raises:
        BadRequest: it has not begun, or is at its end.
    """
    rows = Cleanup.objects.filter(number=cleanup.number, ended_at=None, stopped_at=None)
    if not rows.exclude(started_at=None).update(stopped_at=now()):
        raise BadRequest("This cleanup is not under way.")
    cleanup.refresh_from_db()
