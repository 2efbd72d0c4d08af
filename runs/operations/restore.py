"""After a restore: what a backup holds of work under way is not done, and paid for, again."""

from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.db import transaction

from runs.contract.errors import BadRequest
from runs.contract.status import RunStatus
from runs.execution.endings import end
from runs.lifecycle import runs as lifecycle
from runs.models import LoginLink, Run, Thread
from runs.models.columns import spelled
from runs.models.database import now
from runs.models.run import ACTIVE_VALUES
from runs.operations.erase import busy
from runs.operations.threads import hold_runs, lock

AT_ONCE = 100  # threads in one transaction
RESTORED = {
    "code": "server_error",
    "message": "The database was restored from a backup; this run had not ended in it.",
}


@dataclass(slots=True)
class Left:
    """What a backup holds that must not come to life again."""

    runs: int = 0
    sessions: int = 0
    login_links: int = 0


def find() -> Left:
    """Count it."""
    unended = Run.objects.filter(status__in=spelled(ACTIVE_VALUES)).count()
    return Left(unended, Session.objects.count(), LoginLink.objects.count())


def settle() -> Left:
    """End every unfinished run, and sign everybody out; how many of each there were.

    Can be interrupted, and begun again.

    Raises:
        BadRequest: somebody drives a run, so this is no database that was just restored.
    """
    driven = Run.objects.filter(status__in=spelled(ACTIVE_VALUES), lease_until__gt=now()).first()
    if driven is not None:
        raise BadRequest(
            f"Run {driven.id} is being worked on: stop all servers and workers of this database "
            "first. If there are none, the backup is seconds old: try again in a minute."
        )
    done = Left()
    while threads := list(busy(Thread.objects.order_by("number"))[:AT_ONCE]):
        done.runs += end_runs(threads)
    done.sessions = Session.objects.all().delete()[0]
    done.login_links = LoginLink.objects.all().delete()[0]
    return done


@transaction.atomic
def end_runs(threads: list[Thread]) -> int:
    """End the unfinished runs of some threads, those in line too; how many there were. Their
    events are in the log, and nobody reads it at this moment."""
    count = 0
    for thread in threads:
        lock(thread)
        for run in hold_runs(thread):
            fail(run)
            count += 1
    return count


def fail(run: Run) -> None:
    """End one run as failed; one that was being cancelled is cancelled."""
    if run.status == RunStatus.CANCELLING:
        end(run, RunStatus.CANCELLED)
        return
    if run.status == RunStatus.REQUIRES_ACTION:  # goes on through the queue, or not at all
        lifecycle.move(run, RunStatus.QUEUED)
    end(run, RunStatus.FAILED, RESTORED)
