"""Threads with a row in every table that belongs to them, and what is left of them."""

from collections.abc import Iterable
from datetime import timedelta

from django.apps import apps
from django.db import connection, models, transaction
from django.utils import timezone

from runs.contract.events import run_event
from runs.contract.status import TERMINAL, RunStatus
from runs.lifecycle.usage import note_usage
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
    if status in TERMINAL:
        note_usage(run)
    age(thread, days)
    return thread


def age(thread: Thread, days: int) -> None:
    """Let the thread and what is in it be so many days old."""
    at = timezone.now() - timedelta(days=days)
    Thread.objects.filter(id=thread.id).update(created_at=at)
    Message.objects.filter(thread=thread).update(created_at=at)
    Run.objects.filter(thread=thread).update(created_at=at)


#: The tables that belong to a thread, each with its columns that hold ids.
OF_THREADS: dict[type[models.Model], tuple[str, ...]] = {
    Thread: ("id",),
    Run: ("id", "thread_id"),
    Message: ("id", "thread_id", "run_id"),
    RunStep: ("id", "run_id", "message_id"),
    ToolCall: ("id", "run_id", "step_id"),
    EventChunk: ("run_id",),
    IdempotencyKey: ("key", "run_id", "thread_id"),
}


def fill(
    project: Project,
    first: int,
    doubled: int,
    tables: Iterable[type[models.Model]] = tuple(OF_THREADS),
) -> None:
    """Make ``first`` full threads, each a day older than the one before, and double ``tables`` so
    many times: ids of copies end in other letters. Nothing else may be in these tables."""
    with transaction.atomic():
        for days in range(first):
            make_full_thread(project, days=days)
        for letter in "abcdefghijkl"[:doubled]:
            for model in tables:
                double(model, letter, OF_THREADS[model])


def double(model: type[models.Model], letter: str, ids: tuple[str, ...]) -> None:
    """Copy every row, with a number of its own and ids that end in ``letter``."""
    table = model._meta.db_table
    columns = [field.column for field in model._meta.concrete_fields]
    values = {column: f'"{column}"' for column in columns}
    values["number"] = f"number + (SELECT MAX(number) FROM {table})"
    values |= {column: f"\"{column}\" || '{letter}'" for column in ids}
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())} FROM {table}"
        )
        if connection.vendor == "postgresql":
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'number'),"
                f" (SELECT MAX(number) FROM {table}))"
            )


def rows_by_table() -> dict[str, int]:
    """How many rows every table of ours has."""
    return {
        model.__name__: model._base_manager.count()
        for model in apps.get_app_config("runs").get_models()
    }
