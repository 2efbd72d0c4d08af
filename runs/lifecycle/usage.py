"""What a run took, noted as it ends."""

from datetime import UTC
from typing import Any

from runs.models import Run, UsageEntry


def note_usage(run: Run) -> None:
    """Note what a run took that has just ended: once, since no ending is ever left."""
    UsageEntry.objects.create(**usage_of(run))


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
