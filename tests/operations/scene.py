"""What tests of runs and their lines do and look at."""

from datetime import timedelta

from django.db import transaction

from runs.contract.status import ACTIVE, RunStatus
from runs.events import log
from runs.execution.endings import end_now
from runs.models import Run, Thread

PAST = timedelta(minutes=1)
HI = {"role": "user", "content": "Hi"}


def again(run: Run) -> Run:
    """The row as it is now."""
    return Run.objects.get(number=run.number)


def names(run: Run) -> list[str]:
    """The events of the run, so far."""
    return [event.name for event in log.read_after(run.id, 0).events]


def in_line(thread: Thread) -> list[Run]:
    """The runs that wait for their turn, the first one first."""
    return list(thread.runs.filter(in_line=True).order_by("number"))


def busy_with(thread: Thread) -> Run | None:
    """The runs that have not ended and are not in line: one at most."""
    return thread.runs.filter(status__in=sorted(ACTIVE), in_line=False).first()


def texts(thread: Thread) -> list[str]:
    """What was said on the thread."""
    return [m.content[0]["text"]["value"] for m in thread.messages.order_by("number")]


def expire(run: Run) -> Run:
    """End the run as one whose time is up."""
    with transaction.atomic():
        end_now(run, RunStatus.EXPIRED)
    return run
