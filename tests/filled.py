"""Threads with a row in every table that belongs to them, and what is left of them."""

from datetime import timedelta

from django.apps import apps
from django.utils import timezone

from runs.contract.events import run_event
from runs.contract.status import RunStatus
from runs.models import IdempotencyKey, Message, Project, Run, Thread
from runs.wire.objects import run_object
from tests.factories import make_events, make_message, make_run, make_step, make_thread

#: Rows that erasing one thread of :func:`make_full_thread` deletes, by kind.
FULL = {
    "threads": 1,
    "messages": 2,
    "runs": 1,
    "run steps": 2,
    "tool calls": 2,
    "event chunks": 1,
    "idempotency keys": 1,
}


def make_full_thread(project: Project, status: str = RunStatus.COMPLETED, days: int = 0) -> Thread:
    """A thread with a run, in ``status``, that has written something everywhere, so many days
    ago."""
    thread = make_thread(project)
    make_message(thread)
    run = make_run(thread, status, required_action={})
    make_step(run)
    make_step(run, "tool_calls", calls=["one", "two"])
    make_events(run, (run_event(RunStatus(status)), run_object(run)))
    IdempotencyKey.objects.create(
        project=project, key=run.id, route="/x", body_digest="", answer={}, run=run, thread=thread
    )
    age(thread, days)
    return thread


def age(thread: Thread, days: int) -> None:
    """Let the thread and what is in it be so many days old."""
    at = timezone.now() - timedelta(days=days)
    Thread.objects.filter(id=thread.id).update(created_at=at)
    Message.objects.filter(thread=thread).update(created_at=at)
    Run.objects.filter(thread=thread).update(created_at=at)


def rows_by_table() -> dict[str, int]:
    """How many rows every table of ours has."""
    return {
        model.__name__: model._base_manager.count()
        for model in apps.get_app_config("runs").get_models()
    }
