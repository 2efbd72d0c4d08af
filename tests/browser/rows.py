"""Runs in states that pass too quickly to be looked at, or that only a fault leaves behind.

Written by a process of its own into the database of a live server::

    manage.py shell --no-imports -c "from tests.browser import rows; rows.write()"
"""

import json
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from runs.contract.status import RunStatus
from runs.models import Run
from runs.operations.access import default_project
from tests.factories import make_call, make_message, make_run, make_step, make_thread

#: 5 MiB as UTF-8, in lines of 64 bytes.
LARGE = f"é {'a line ' * 8}, 64\n" * (5 * 1024 * 1024 // 64)


def write() -> None:
    """Write the runs and print the paths of their pages as JSON, by the names of their states."""
    made = {
        # No server takes up a run that is not there yet, or that another one is driving.
        "Queued": new(RunStatus.QUEUED, created_at=timezone.now() + timedelta(hours=1)),
        "Cancelling": new(RunStatus.CANCELLING),
        "Cancelled": with_text(RunStatus.CANCELLED, "run_cancelled"),
        "Expired": with_text(RunStatus.EXPIRED, "run_expired"),
        "Interrupted": with_text(RunStatus.COMPLETED, "run_failed", interrupted=True),
        "Answered": answered(),
        "Broken": new(RunStatus.COMPLETED, tools=[{}]),
    }
    paths = {name: f"/console/threads/{run.thread_id}/runs/{run.id}/" for name, run in made.items()}
    print(json.dumps(paths))  # noqa: T201


def write_long() -> None:
    """Write a run of 500 steps, the first with a large output, and print the path of its page."""
    run = new(RunStatus.COMPLETED)
    for n in range(500):
        step = make_step(run, "tool_calls")
        make_call(step, name="look_up", output="é" * 400_000 if n == 0 else f"output {n}")
    print(f"/console/threads/{run.thread_id}/runs/{run.id}/")  # noqa: T201


def write_huge() -> None:
    """Write a run of 5,000 steps, three of which hold a word, the first with an output of 5 MiB,
    and print the path of its page."""
    run = new(RunStatus.COMPLETED)
    with transaction.atomic():
        for n in range(5000):
            step = make_step(run, "tool_calls", turn=n + 1)
            output = "needle" if n in (40, 700, 4900) else f"output {n}"
            make_call(step, name="look_up", output=LARGE if n == 0 else output)
    print(f"/console/threads/{run.thread_id}/runs/{run.id}/")  # noqa: T201


def write_at(begun: str, ended: str) -> None:
    """Write a run of one step that was done between these times, and print the path of its page."""
    first, last = (datetime.fromisoformat(one) for one in (begun, ended))
    run = new(RunStatus.COMPLETED, created_at=first, started_at=first, completed_at=last)
    make_step(run, created_at=first, completed_at=last)
    print(f"/console/threads/{run.thread_id}/runs/{run.id}/")  # noqa: T201


def new(status: RunStatus, **columns: object) -> Run:
    """A run that answers to a message."""
    thread = make_thread(default_project())
    make_message(thread, "How is Oslo?")
    expires = timezone.now() + timedelta(hours=2)
    return make_run(thread, status, **{"expires_at": expires, **columns})


def answered() -> Run:
    """A run whose call, with an argument that no line can break, was waited for."""
    run = new(RunStatus.COMPLETED)
    step = make_step(run, "tool_calls", called_at=timezone.now() - timedelta(seconds=3))
    make_call(step, name="look_up", arguments=json.dumps({"q": "x" * 99}), output="found")
    return run


def with_text(status: RunStatus, reason: str, *, interrupted: bool = False) -> Run:
    """A run that has ended, with a message that was cut; its turn again if it was interrupted."""
    run = new(status)
    message = make_message(
        run.thread, "It is mild, and", role="assistant", run=run, status="incomplete",
        incomplete_reason=reason, interrupted=interrupted,
    )  # fmt: skip
    make_step(
        run, status="failed" if interrupted else status, message_id=message.id,
        interrupted=interrupted,
    )  # fmt: skip
    if interrupted:
        make_step(run)
    return run
