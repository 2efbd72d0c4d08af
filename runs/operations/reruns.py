"""Running again what a run was asked."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from runs.contract.events import THREAD_CREATED
from runs.lifecycle.steps import EMPTY_TEXT
from runs.models import ApiKey, Message, Run, Thread
from runs.models.database import now
from runs.operations.run_settings import INHERITED, OWN
from runs.operations.runs import begin
from runs.wire.objects import thread_object

#: What a run is copied with: its settings, and where they came from.
COPIED = (
    "assistant_id",
    "assistant_version",
    "given",
    "action_lifetime",
    *INHERITED,
    *OWN,
    "parallel_tool_calls",
    "metadata",
    "tool_resources",
)


def rerun(original: Run, key: ApiKey | None = None) -> Run:
    """Start a run with the input and settings of another on a thread of its own; it is
    ``queued`` when this returns.

    The thread gets copies of the messages that the original saw. Nothing is asked of its
    assistant, which may have been changed or deleted since.
    """
    with transaction.atomic():
        at = now()
        thread = Thread.objects.create(
            project_id=original.project_id,
            created_at=at,
            metadata=original.thread.metadata,
            tool_resources=original.thread.tool_resources,
        )
        Message.objects.bulk_create(
            Message(thread_id=thread.id, created_at=at, completed_at=at, **columns)
            for columns in seen(original)
        )
        run = Run.objects.create(
            project_id=original.project_id,
            thread_id=thread.id,
            created_at=at,
            expires_at=at + timedelta(seconds=lifetime(original)),
            rerun_of=original.id,
            key_id=key.id if key else None,
            **{name: getattr(original, name) for name in COPIED},
        )
        begin(run, [(THREAD_CREATED, thread_object(thread))])
    return run


def seen(run: Run) -> list[dict[str, Any]]:
    """The messages that were in a run's thread as it began, oldest first: columns of each. Of
    a run in line, those that will be there if it begins now."""
    rows = Message.objects.filter(
        thread_id=run.thread_id,
        interrupted=False,
        created_at__lte=run.started_at or now(),
    ).exclude(run_id=run.id)
    found = [
        {
            "role": row.role,
            "content": row.content,
            "attachments": row.attachments,
            "metadata": row.metadata,
            "assistant_id": row.assistant_id,
        }
        for row in rows.order_by("number")
        if row.content not in ([], [EMPTY_TEXT])
    ]
    return found + (list(run.line_messages or []) if run.in_line else [])


def lifetime(run: Run) -> int:
    """Seconds that a run had to end. Where waits had a clock of their own its deadline has
    moved, and what it was is not known: then as many as any run has."""
    if run.action_lifetime or settings.RUNSITE_ACTION_LIFETIME:
        return int(settings.RUNSITE_RUN_LIFETIME)
    return max(round((run.expires_at - run.created_at).total_seconds()), 1)
