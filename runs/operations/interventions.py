"""What an operator may do to a run, and no caller of the API: end its time, have it driven."""

from django.db import transaction

from runs.contract.errors import BadRequest
from runs.contract.status import TERMINAL, RunStatus
from runs.events.hub import hub
from runs.execution import engines
from runs.execution.endings import end_now
from runs.models import Run
from runs.operations.stale import again_if_stale


@again_if_stale
def expire_run(run: Run) -> Run:
    """End a run as if its time were up.

    Raises:
        BadRequest: it has ended, or is being cancelled.
    """
    if run.status in TERMINAL or run.status == RunStatus.CANCELLING:
        raise BadRequest(f"Cannot expire run with status '{run.status}'.")
    with transaction.atomic():
        hub.publish_on_commit(run.id, end_now(run, RunStatus.EXPIRED))
    return run


def kick_run(run: Run) -> Run:
    """Hint to the engine of this process that a run wants to be driven. The run's row decides.

    Raises:
        BadRequest: there is nothing to drive: it has ended, waits for tool outputs or its turn.
    """
    if run.status in TERMINAL or run.status == RunStatus.REQUIRES_ACTION or run.in_line:
        raise BadRequest(f"Nobody drives a run with status '{run.status}', in line or not.")
    with transaction.atomic():
        engines.current().kick(run.id)
    return run
