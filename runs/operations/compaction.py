"""Making the logs of ended runs small."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from runs.contract.errors import BadRequest
from runs.contract.status import TERMINAL
from runs.events.compact import compacted
from runs.models import EventChunk, Project, Run, Thread
from runs.models.columns import spelled
from runs.models.database import now
from runs.operations.erase import Tally

ENDED_VALUES = sorted(TERMINAL)
#: Characters of compacted logs that are put in place at once; what they were before is many
#: times as much.
ENOUGH = 1_000_000

#: The rows of compacted logs, by the ids of their runs.
Logs = dict[str, list[EventChunk]]


def compact_run(run: Run) -> int:
    """Compact the log of an ended run; how many of its rows were replaced.

    Raises:
        BadRequest: the run has not ended, or its log is compact.
    """
    if run.status not in TERMINAL:
        raise BadRequest("The log of a run is compacted once the run has ended.")
    replaced = replace_logs({run.id: compacted(run.id)}).rows["event chunks"]
    if not replaced:
        raise BadRequest("The log of this run is compact already.")
    return replaced


def runs_meant(
    project: Project | None, chosen: Sequence[int] | None, made_before: datetime | None
) -> QuerySet[Run]:
    """The ended runs of a selection whose logs are not compact."""
    runs = Run.objects.filter(status__in=spelled(ENDED_VALUES), compacted_at=None)
    if project is not None:
        runs = runs.filter(project_id=project.id)
    if chosen is not None:
        runs = runs.filter(number__in=chosen)
    if made_before is not None:
        runs = runs.filter(created_at__lt=made_before)
    return runs.order_by("number")


def count_logs(runs: QuerySet[Run]) -> Tally:
    """The runs whose logs would be compacted, and the rows that these logs have."""
    chunks = EventChunk.objects.filter(run_id__in=runs.order_by().values("id"))
    return Tally(Counter({"runs": runs.count(), "event chunks": chunks.count()}))


def prepare(
    runs: QuerySet[Run], still_at_work: Callable[[], None] = lambda: None
) -> tuple[Logs, int | None]:
    """The compacted logs of ended runs, by their ids. Writes nothing: this takes its time.

    The second value is the number of the last run, if those before it were ``ENOUGH``.
    """
    logs: Logs = {}
    size = 0
    for number, run_id in runs.values_list("number", "id"):
        still_at_work()
        logs[run_id] = compacted(run_id)
        size += sum(len(row.body) for row in logs[run_id])
        if size >= ENOUGH:
            return logs, number
    return logs, None


def replace_logs(logs: Logs) -> Tally:
    """Put compacted logs in the place of those that there are: all of them, or none."""
    tally = Tally()
    with transaction.atomic():
        hold_threads(logs)
        for run_id, rows in logs.items():
            if replaced := replace_log(run_id, rows):
                tally.rows.update({"runs": 1, "event chunks": replaced})
    return tally


def hold_threads(run_ids: Iterable[str]) -> None:
    """Keep the threads of these runs from being deleted until the transaction ends: threads
    come before runs, and runs before their logs, in the order in which a batch erases them."""
    of_runs = Run.objects.filter(id__in=list(run_ids)).order_by().values("thread_id")
    threads = Thread.objects.filter(id__in=of_runs).order_by("number")
    list(threads.select_for_update(no_key=True, of=("self",)).values_list("number"))


def replace_log(run_id: str, rows: Sequence[EventChunk]) -> int:
    """Put ``rows`` in the place of an ended run's log; how many there were. 0: somebody else did,
    or the run is gone. For callers who hold its thread.

    Nobody writes the log of an ended run, so ``rows`` may have been made before.
    """
    ours = Run.objects.filter(id=run_id, status__in=spelled(ENDED_VALUES), compacted_at=None)
    if not ours.update(compacted_at=now()):
        return 0
    chunks = EventChunk.objects.filter(run_id=run_id)
    replaced = chunks._raw_delete(chunks.db)
    EventChunk.objects.bulk_create(rows)
    return replaced
