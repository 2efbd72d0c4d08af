"""The line of a thread: runs that wait until the run ahead of them has ended, oldest first.

Whoever ends a run, or puts one in line, takes the thread's row before the rows of its runs, and
those before all that belongs to them. So an ending and a newcomer never miss each other, and no
two of them wait for each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Exists, OuterRef, QuerySet

from runs.execution import engines
from runs.lifecycle import runs as lifecycle
from runs.models import Message, Run, Thread
from runs.models.columns import spelled
from runs.models.database import now
from runs.models.run import ACTIVE_VALUES


def hold(thread_id: str) -> bool:
    """Keep others from adding to the thread until the transaction ends. False if it is gone."""
    # no_key: a driver's message refers to the thread, and must not wait for us who wait for it.
    return Thread.objects.select_for_update(no_key=True).filter(id=thread_id).exists()


@contextmanager
def ending(run: Run) -> Iterator[None]:
    """End ``run`` inside this block, which is inside a transaction: the next in line begins
    with it."""
    hold(run.thread_id)
    yield
    let_in(run.thread_id)


def move_up(thread_id: str) -> None:
    """Let the oldest run in line begin if nobody is ahead of it. Inside a transaction."""
    hold(thread_id)
    let_in(thread_id)


def let_in(thread_id: str) -> None:
    """As :func:`move_up`, for callers who hold the thread."""
    first = waiting(thread_id).first()
    if first is None or working(thread_id) is not None:
        return
    messages, at = first.line_messages or (), now()
    lifecycle.leave_line(first)
    for columns in messages:
        Message.objects.create(thread_id=thread_id, created_at=at, completed_at=at, **columns)
    engines.current().kick(first.id)


def working(thread_id: str) -> Run | None:
    """The run that the thread is busy with, if any."""
    active = Run.objects.filter(thread_id=thread_id, status__in=spelled(ACTIVE_VALUES))
    return active.filter(in_line=False).first()


def waiting(thread_id: str) -> QuerySet[Run]:
    """The runs in line on the thread, oldest first."""
    return Run.objects.filter(thread_id=thread_id, in_line=True).order_by("number")


def standing() -> QuerySet[Run]:
    """Runs in line that nobody is ahead of. There are none, unless a row was changed by other
    hands than ours."""
    active = Run.objects.filter(status__in=spelled(ACTIVE_VALUES), in_line=False)
    ahead = active.filter(thread_id=OuterRef("thread_id"))
    # In the order of the index: for that of the rows, SQLite would read them all.
    return Run.objects.filter(~Exists(ahead), in_line=True).order_by("thread_id", "number")
