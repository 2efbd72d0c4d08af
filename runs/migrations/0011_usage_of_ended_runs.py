"""Note what the runs took that have ended already."""

from datetime import UTC
from typing import Any

from django.db import migrations

ENDED = ("completed", "incomplete", "failed", "cancelled", "expired")
BATCH = 500
COLUMNS = (
    "number", "id", "project_id", "model", "assistant_id", "key_id", "status", "usage", "created_at",
    "completed_at", "failed_at", "cancelled_at", "expired_at",
)  # fmt: skip


def note(apps: Any, schema_editor: Any) -> None:
    """One entry for each ended run that has none. Each batch is a transaction: others write in
    between, and broken off it can be repeated."""
    runs = apps.get_model("runs", "Run").objects.filter(status__in=ENDED)
    entries = apps.get_model("runs", "UsageEntry")
    rows = runs.order_by("number").only(*COLUMNS)
    after = 0
    while batch := list(rows.filter(number__gt=after)[:BATCH]):
        made = [entries(**columns(run)) for run in batch]
        entries.objects.bulk_create(made, ignore_conflicts=True)
        after = batch[-1].number


def columns(run: Any) -> dict[str, Any]:
    """The columns of the entry of a run."""
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


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("runs", "0010_usage_and_prices")]

    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
