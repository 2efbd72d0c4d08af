"""Operations on threads and their messages."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from runs.contract.errors import NotFound, ThreadLocked
from runs.contract.status import ACTIVE, RunStatus
from runs.events.hub import hub
from runs.execution import engines, line
from runs.execution.endings import end
from runs.models import Message, Project, Run, Thread
from runs.models.database import now
from runs.operations.stale import again_if_stale


def create_thread(project: Project, fields: dict[str, Any]) -> Thread:
    """Create a thread with its first messages."""
    with transaction.atomic():
        thread = Thread.objects.create(
            project=project,
            created_at=now(),
            metadata=fields.get("metadata") or {},
            tool_resources=fields.get("tool_resources") or {},
        )
        store_messages(thread, fields.get("messages") or ())
    return thread


def update_thread(thread: Thread, fields: dict[str, Any]) -> Thread:
    """Replace the thread's metadata or tool resources, where given."""
    changed = {
        name: fields[name] or {} for name in ("metadata", "tool_resources") if name in fields
    }
    if changed and not Thread.objects.filter(id=thread.id).update(**changed):
        raise NotFound("thread", thread.id)
    for name, value in changed.items():
        setattr(thread, name, value)
    return thread


@again_if_stale
def delete_thread(thread: Thread) -> None:
    """Delete a thread with all that belongs to it. Runs that have not ended are cancelled
    first, so that their readers get an ending and their driver stops."""
    with transaction.atomic():
        end_runs(thread)
        Thread.objects.filter(id=thread.id).delete()


@again_if_stale
def cancel_unended(thread: Thread) -> None:
    """Cancel all runs of a thread that have not ended; nothing goes on when this returns.

    Raises:
        NotFound: the thread was deleted.
    """
    with transaction.atomic():
        end_runs(thread)


def end_runs(thread: Thread) -> None:
    """Lock the thread, and take its unended runs from whoever drives them, cancelled."""
    lock(thread)
    for run in hold_runs(thread):
        hub.publish_on_commit(run.id, end(run, RunStatus.CANCELLED))
        engines.current().signal_cancel(run.id)


def add_message(thread: Thread, fields: dict[str, Any]) -> Message:
    """Add a message to the end of a thread that no run is working on, or waits for.

    Raises:
        ThreadLocked: a run is active.
    """
    with transaction.atomic():
        lock(thread)
        run = active_run(thread)
        if run is not None:
            raise ThreadLocked(thread.id, run.id)
        return store_messages(thread, [fields])[0]


def update_message(message: Message, fields: dict[str, Any]) -> Message:
    """Replace the message's metadata, if given."""
    if "metadata" in fields:
        message.metadata = fields["metadata"] or {}
        if not Message.objects.filter(id=message.id).update(metadata=message.metadata):
            raise NotFound("message", message.id)
    return message


def delete_message(message: Message) -> None:
    """Delete a message. A step that made it goes on to name it."""
    message.delete()


def lock(thread: Thread) -> None:
    """Keep others from adding to the thread until the transaction ends.

    Raises:
        NotFound: the thread was deleted.
    """
    if not line.hold(thread.id):
        raise NotFound("thread", thread.id)


def active_run(thread: Thread) -> Run | None:
    """The run that the thread is busy with, if any; of a line that stands, the first one."""
    return line.working(thread.id) or line.waiting(thread.id).first()


def hold_runs(thread: Thread) -> list[Run]:
    """All runs of a locked thread that have not ended, oldest first; nobody else moves them
    until the transaction ends."""
    unended = Run.objects.filter(thread_id=thread.id, status__in=sorted(ACTIVE))
    held = unended.select_for_update(no_key=True).order_by("in_line", "number")
    return list(held.defer("line_messages"))


def store_messages(thread: Thread, messages: Iterable[dict[str, Any]]) -> list[Message]:
    """Insert messages given as on the wire, in order."""
    at = now()
    return [
        Message.objects.create(
            thread_id=thread.id, created_at=at, completed_at=at, **message_columns(fields)
        )
        for fields in messages
    ]


def message_columns(fields: dict[str, Any]) -> dict[str, Any]:
    """What is stored of a message given as on the wire."""
    return {
        "role": fields["role"],
        "content": content_parts(fields["content"]),
        "attachments": fields.get("attachments") or [],
        "metadata": fields.get("metadata") or {},
    }


def content_parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Content as stored and sent: a text is one part; ``text`` of a part is an object."""
    if isinstance(content, str):
        return [text_part(content)]
    return [text_part(part["text"]) if part["type"] == "text" else part for part in content]


def text_part(text: str) -> dict[str, Any]:
    """A text part without annotations."""
    return {"type": "text", "text": {"value": text, "annotations": []}}
