"""What a run took, noted as it ends."""

from datetime import UTC
from typing import Any

from django.db.models import Exists, OuterRef

from runs.contract.status import TERMINAL
from runs.models import Run, UsageEntry

AT_ONCE = 500  # runs in one statement


def note_usage(run: Run) -> None:
    """Note what a run took that has just ended: once, since no ending is ever left."""
    UsageEntry.objects.create(**usage_of(run))


def unnoted() -> list[str]:
    """The ids of the ended runs of which nothing is noted: a process ended them that was of a
    version without this table, while the database had it already."""
    entries = UsageEntry.objects.filter(run_id=OuterRef("id"))
    # All runs first, by their ids alone, which an index has; of what is found, the ended ones.
    ids = list(Run.objects.filter(~Exists(entries)).order_by().values_list("id", flat=True))
    ended: list[str] = []
    for start in range(0, len(ids), AT_ONCE):
        runs = Run.objects.filter(id__in=ids[start : start + AT_ONCE], status__in=sorted(TERMINAL))
        ended += runs.order_by().values_list("id", flat=True)
    return ended


def note_unnoted() -> int:
    """Note what ended runs took of which nothing is noted; how many there were. Can be done
    at any time, and twice at once."""
    ids = unnoted()
    for start in range(0, len(ids), AT_ONCE):
        runs = Run.objects.filter(id__in=ids[start : start + AT_ONCE]).defer("line_messages")
        entries = [UsageEntry(**usage_of(run)) for run in runs.order_by("number")]
        UsageEntry.objects.bulk_create(entries, ignore_conflicts=True)
    return len(ids)


def usage_of(run: Run) -> dict[str, Any]:
    """The columns of the entry of a run that has ended."""
    ended = run.completed_at or run.failed_at or run.cancelled_at or run.expired_at
    spent = run.usage or {}
    return {
        "project_id": run.project_id,
        "run_id": run.id,
        "day": run.created_at.astimezone(UTC).date(),
        "model": run.model,
        "assistant_id": run.assistant_id,
        "key_id": run.key_id,
        "status": run.status,
        "seconds": (ended - run.created_at).total_seconds() if ended else 0.0,
        "input_tokens": spent.get("prompt_tokens", 0),
        "cached_tokens": (spent.get("prompt_token_details") or {}).get("cached_tokens", 0),
        "output_tokens": spent.get("completion_tokens", 0),
    }
