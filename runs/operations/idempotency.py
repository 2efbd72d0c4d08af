"""Doing once what a caller asks for twice.

A program that lost an answer cannot know whether its call was carried out. It sends the
call again with the same key, and gets the answer of the first time.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from runs.contract.errors import KeyInUse, KeyReuse
from runs.models import IdempotencyKey, Project, Run, Thread

LIFETIME = timedelta(hours=24)
WAIT_SECONDS = 5  # for the same call under way; as long as SQLite waits for its file
#: Expired rows that one new row takes with it: more than one, so that they grow fewer.
EXPIRED_PER_CALL = 20
EXPIRED_PER_BATCH = 500  # a writer waits for one batch at most

LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code


@dataclass(frozen=True, slots=True)
class Call:
    """What makes two calls the same. ``thread_id`` is that of the path, if it has one."""

    project: Project
    key: str
    route: str
    body_digest: str
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered: a wire object and the headers that belong to it.

    An answer that is a run has its row; a stream of what follows starts past ``after``.
    ``repeated``: it is that of an earlier call.
    """

    wire: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    after: int = 0
    repeated: bool = False


def once(call: Call, work: Callable[[], Answer]) -> Answer:
    """Do ``work``, or give the answer that the same call got before.

    The work and the note of its answer are one transaction: either both are there or
    neither, whenever the process dies. An error is not noted: such a call did nothing, and
    is tried anew.

    Raises:
        KeyReuse: the key belongs to a call with another body.
        KeyInUse: the same call is still under way.
    """
    with transaction.atomic():
        wait_for_twin(call)
        found = noted(call)
        if found is not None and found.created_at > oldest():
            if found.body_digest != call.body_digest:
                raise KeyReuse
            return Answer(found.answer, found.headers, found.run, found.after, repeated=True)
        if call.thread_id is not None:
            keep_thread(call)
        answer = work()
        if found is not None:
            found.delete()
        forget(EXPIRED_PER_CALL)
        note(call, answer)
    return answer


def wait_for_twin(call: Call) -> None:
    """Let no two transactions of one key go on at once.

    SQLite has one writer anyway: whoever waits too long for it finds the database busy.
    Taken before any row is locked, so nobody who holds this waits for somebody who wants it.

    Raises:
        KeyInUse: another one has gone on for ``WAIT_SECONDS``.
    """
    if connection.vendor != "postgresql":
        return
    name = f"{call.project.id}\n{call.route}\n{call.key}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s';"
                f"SELECT pg_advisory_xact_lock({number});"
                "SET LOCAL lock_timeout TO DEFAULT"
            )
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise KeyInUse from error
        raise


def noted(call: Call) -> IdempotencyKey | None:
    """The row of the call's key, which may have expired."""
    rows = IdempotencyKey.objects.for_project(call.project)
    return rows.select_related("run").filter(key=call.key, route=call.route).first()


def oldest() -> datetime:
    """When a row that expires now was made. Any clock is near enough for a day."""
    return timezone.now() - LIFETIME


def keep_thread(call: Call) -> None:
    """Keep the thread from being deleted until the transaction ends: the note refers to it.

    Before any run, as all who end runs or delete threads take them. That there is no such
    thread is for the work to say.
    """
    rows = Thread.objects.for_project(call.project).filter(id=call.thread_id)
    rows.select_for_update(no_key=True).exists()


def note(call: Call, answer: Answer) -> None:
    """Store the answer of a call. It goes with the thread whose content it holds."""
    wire = answer.wire
    IdempotencyKey.objects.create(
        project=call.project,
        key=call.key,
        route=call.route,
        body_digest=call.body_digest,
        answer=wire,
        headers=answer.headers,
        run_id=wire["id"] if wire["object"] == "thread.run" else None,
        thread_id=wire["id"] if wire["object"] == "thread" else wire.get("thread_id"),
        after=answer.after,
    )


def forget(at_most: int) -> int:
    """Delete the oldest expired rows, those of all projects; how many there were.

    Waits for nobody: rows that somebody else deletes are left to them.
    """
    expired = IdempotencyKey.objects.filter(created_at__lte=oldest()).order_by("created_at")
    with transaction.atomic():
        free = expired.select_for_update(skip_locked=True)
        numbers = list(free.values_list("number", flat=True)[:at_most])
        if numbers:
            IdempotencyKey.objects.filter(number__in=numbers).delete()
    return len(numbers)


def forget_expired_keys() -> int:
    """Delete all expired rows, batch by batch; how many there were."""
    total = 0
    while count := forget(EXPIRED_PER_BATCH):
        total += count
    return total
