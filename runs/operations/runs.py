"""Operations on runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runs.contract.errors import (
    LineFull,
    NoOutputsWanted,
    NotCancellable,
    NotFound,
    ThreadBusy,
    WrongOutputs,
)
from runs.contract.events import RUN_CREATED, THREAD_CREATED
from runs.contract.limits import RUNS_IN_LINE
from runs.contract.status import TERMINAL, OnActiveRun, RunStatus, StepStatus
from runs.events import log
from runs.events.hub import hub
from runs.events.log import Fact, StaleRun
from runs.execution import engines, line
from runs.execution.endings import end, end_now, run_fact
from runs.lifecycle import runs as lifecycle
from runs.lifecycle.steps import end_step
from runs.models import ApiKey, Assistant, Project, Run, Thread, ToolCall
from runs.models.database import now
from runs.operations.assistants import find_assistant
from runs.operations.run_settings import SETTINGS, resolved
from runs.operations.stale import again_if_stale
from runs.operations.threads import (
    active_run,
    create_thread,
    hold_runs,
    lock,
    message_columns,
    store_messages,
)
from runs.wire.objects import run_object, thread_object

#: The columns of a call that a submission fills.
SUBMITTED = ("output", "submitted_at", "submitted_by_user", "submitted_by_key")


@dataclass(frozen=True, slots=True)
class Submission:
    """Tool outputs that were taken. A stream of what follows starts past ``after``."""

    run: Run
    after: int


def create_run(
    thread: Thread,
    fields: dict[str, Any],
    key: ApiKey | None = None,
    rerun_of: str | None = None,
) -> Run:
    """Start a run on a thread; it is ``queued`` when this returns. ``key``: who asks for it;
    ``rerun_of``: the id of the run whose input it repeats, perhaps with changes.

    ``on_active_run`` (``OnActiveRun``) says what becomes of it if the thread is busy: it is
    refused, stands in line, or has all others cancelled.

    Raises:
        NotFound: the assistant, or the thread, does not exist.
        ThreadBusy: a run on this thread has not ended.
        LineFull: as many as may are in line already.
    """
    assistant = find_assistant(thread.project, fields["assistant_id"])
    with transaction.atomic():
        return start(thread, assistant, fields, [], key, rerun_of)


def create_thread_and_run(
    project: Project,
    fields: dict[str, Any],
    key: ApiKey | None = None,
    rerun_of: str | None = None,
) -> Run:
    """Create a thread from ``fields["thread"]`` and start a run on it, as :func:`create_run`.

    Raises:
        NotFound: the assistant does not exist; then there is no thread either.
    """
    assistant = find_assistant(project, fields["assistant_id"])
    with transaction.atomic():
        thread = create_thread(project, fields.get("thread") or {})
        created = [(THREAD_CREATED, thread_object(thread))]
        return start(thread, assistant, fields, created, key, rerun_of)


def start(
    thread: Thread,
    assistant: Assistant,
    fields: dict[str, Any],
    before: Sequence[Fact],
    key: ApiKey | None,
    rerun_of: str | None,
) -> Run:
    """Insert the run with its messages and first events, and hint the engine.

    A run in line keeps its messages until its turn comes, and then the hint comes, too.
    """
    lock(thread)
    in_line = must_wait(thread, OnActiveRun(fields.get("on_active_run") or OnActiveRun.REJECT))
    messages = fields.get("additional_messages") or []
    if not in_line:
        store_messages(thread, messages)
    at = now()
    run = Run(
        project_id=thread.project_id,
        thread_id=thread.id,
        assistant_id=assistant.id,
        assistant_version=assistant.version or None,
        given=[name for name in SETTINGS if fields.get(name) is not None],
        key_id=key.id if key else None,
        rerun_of=rerun_of,
        created_at=at,
        expires_at=at
        + timedelta(seconds=fields.get("expires_in") or settings.RUNSITE_RUN_LIFETIME),
        action_lifetime=fields.get("action_expires_in"),
        in_line=in_line,
        line_messages=[message_columns(message) for message in messages] if in_line else None,
        **resolved(assistant, fields),
    )
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError as conflict:
        busy = active_run(thread)
        if busy is None:
            raise
        raise ThreadBusy(thread.id, busy.id) from conflict
    begin(run, before)
    return run


def begin(run: Run, before: Sequence[Fact]) -> None:
    """Write the first events of a run that was inserted, and hint the engine if it can go."""
    facts = [*before, (RUN_CREATED, run_object(run)), run_fact(run)]
    hub.publish_on_commit(run.id, log.write(run, facts))
    if not run.in_line:
        engines.current().kick(run.id)


def must_wait(thread: Thread, policy: OnActiveRun) -> bool:
    """Whether a new run of a locked thread has to stand in line.

    Raises:
        ThreadBusy: it may not, and another run has not ended.
        LineFull: there is no room in the line.
    """
    if policy == OnActiveRun.CANCEL:
        return not cancel_all(thread)
    busy = active_run(thread)
    if busy is None:
        return False
    if policy == OnActiveRun.REJECT:
        raise ThreadBusy(thread.id, busy.id)
    waiting = line.waiting(thread.id).count()
    if waiting >= RUNS_IN_LINE:
        raise LineFull(thread.id, busy.id, waiting)
    return True


def cancel_all(thread: Thread) -> bool:
    """Cancel all runs of a locked thread; False if one of them is in the middle of a turn, and
    will end in a moment."""
    free = True
    for run in hold_runs(thread):
        if run.status == RunStatus.IN_PROGRESS:
            ask_to_stop(run)
        elif run.status != RunStatus.CANCELLING:
            hub.publish_on_commit(run.id, end(run, RunStatus.CANCELLED))
        free = free and run.status in TERMINAL
    return free


def update_run(run: Run, fields: dict[str, Any]) -> Run:
    """Replace the run's metadata, if given; at any time."""
    if "metadata" in fields:
        run.metadata = fields["metadata"] or {}
        if not Run.objects.filter(id=run.id).update(metadata=run.metadata):
            raise NotFound("run", run.id)
    return run


@again_if_stale
def cancel_run(run: Run) -> Run:
    """Ask a run to stop.

    A run nobody is working on ends at once (``cancelled``); one in the middle of a turn
    becomes ``cancelling``, and whoever drives it ends it.

    Raises:
        NotCancellable: it has ended, or is being cancelled.
    """
    if run.status in TERMINAL or run.status == RunStatus.CANCELLING:
        raise NotCancellable(run.status)
    with transaction.atomic():
        if run.status == RunStatus.IN_PROGRESS:
            ask_to_stop(run)
        else:
            hub.publish_on_commit(run.id, end_now(run, RunStatus.CANCELLED))
    return run


def ask_to_stop(run: Run) -> None:
    """Have whoever drives the run end it."""
    lifecycle.move(run, RunStatus.CANCELLING)
    engines.current().signal_cancel(run.id)


@again_if_stale
def submit_tool_outputs(
    run: Run, outputs: Sequence[dict[str, Any]], by: User | ApiKey | None = None
) -> Submission:
    """Answer the calls a run waits for; it is ``queued`` again when this returns.

    The same outputs as the latest accepted ones are no error, whatever became of the run
    since: a client that lost the answer may repeat the call.

    Args:
        outputs: list of ``{"tool_call_id", "output"}``; a null or absent output is "".
        by: who gives them; kept with the calls.

    Raises:
        NoOutputsWanted: the run does not wait for outputs.
        WrongOutputs: the call ids are not exactly the pending ones.
    """
    got = [output["tool_call_id"] for output in outputs]
    given = {output["tool_call_id"]: output.get("output") or "" for output in outputs}
    if run.submission and len(got) == len(given) and run.submission["outputs"] == given:
        return Submission(run, run.submission["after"])
    if run.status != RunStatus.REQUIRES_ACTION:
        raise NoOutputsWanted(run.status)
    step = run.steps.filter(type="tool_calls", status=StepStatus.IN_PROGRESS).first()
    if step is None:  # somebody answered since the run was read
        raise StaleRun(run.id)
    calls = list(step.tool_calls.order_by("index"))
    expected = [call.id for call in calls]
    if sorted(got) != sorted(expected):
        raise WrongOutputs(expected, got)
    with transaction.atomic():
        at = now()
        after = run.last_number
        lifecycle.move(
            run,
            RunStatus.QUEUED,
            required_action=None,
            submission={"outputs": given, "after": after},
            claims=0,
            **resumed_clock(run),
        )
        for call in calls:
            call.output, call.submitted_at = given[call.id], at
            call.submitted_by_user = by if isinstance(by, User) else None
            call.submitted_by_key = by if isinstance(by, ApiKey) else None
        ToolCall.objects.bulk_update(calls, SUBMITTED)
        facts = [end_step(step, run, StepStatus.COMPLETED, at, calls), run_fact(run)]
        hub.publish_on_commit(run.id, log.write(run, facts))
        engines.current().kick(run.id)
    return Submission(run, after)


def resumed_clock(run: Run) -> dict[str, Any]:
    """The run's own time goes on where it stood, if the wait had a clock of its own."""
    if run.paused_seconds is None:
        return {}
    return {
        "expires_at": now() + timedelta(seconds=run.paused_seconds),
        "paused_seconds": None,
    }
