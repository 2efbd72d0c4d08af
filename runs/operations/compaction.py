"""Making the logs of ended runs small."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from runs.contract.errors import BadRequest
from runs.contract.status import TERMINAL
from runs.events.compact import compacted
from runs.models import EventChunk, Project, Run
from runs.models.columns import spelled
from runs.models.database import now
from runs.operations.erase import Tally

ENDED_VALUES = sorted(TERMINAL)


def compact_run(run: Run) -> int:
    """Compact the log of an ended run; how many of its rows were replaced.

    Raises:
        BadRequest: the run has not ended, or its log is compact.
    """
    if run.status not in TERMINAL:
        raise BadRequest("The log of a run is compacted once the run has ended.")
    replaced = replace_log(run.id, compacted(run.id))
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


def prepare(runs: Iterable[Run]) -> dict[str, list[EventChunk]]:
    """The compacted logs of ended runs, by their ids. Writes nothing: this takes its time."""
    return {run.id: compacted(run.id) for run in runs}


def replace_logs(logs: Mapping[str, Sequence[EventChunk]]) -> Tally:
    """Put compacted logs in the place of those that there are, in the caller's transaction."""
    tally = Tally()
    for run_id, rows in logs.items():
        if replaced := replace_log(run_id, rows):
            tally.rows.update({"runs": 1, "event chunks": replaced})
    return tally


def replace_log(run_id: str, rows: Sequence[EventChunk]) -> int:
    """Put ``rows`` in the place of an ended run's log; how many there were. 0: somebody else did,
    or the run is gone.

    Nobody writes the log of an ended run, so ``rows`` may have been made before.
    """
    with transaction.atomic():
        ours = Run.objects.filter(id=run_id, status__in=spelled(ENDED_VALUES), compacted_at=None)
        if not ours.update(compacted_at=now()):
            return 0
        chunks = EventChunk.objects.filter(run_id=run_id)
        replaced = chunks._raw_delete(chunks.db)
        EventChunk.objects.bulk_create(rows)
    return replaced
