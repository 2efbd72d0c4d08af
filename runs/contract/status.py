"""Statuses and the moves between them.

Plain data: this file is the specification. The run statuses are the nine of the
OpenAI SDK type ``RunStatus`` (types/beta/threads/run_status.py).
"""

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    EXPIRED = "expired"


class OnActiveRun(StrEnum):
    """What becomes of a new run whose thread is busy with another. Runsite's own."""

    REJECT = "reject"
    QUEUE = "queue"
    CANCEL = "cancel"


class StepStatus(StrEnum):
    """Where a run step is. Steps are never queued and never incomplete."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class MessageStatus(StrEnum):
    """Where a message is."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


_S = RunStatus

#: For each status, the statuses a run may move to. An empty set is terminal.
#: A run never moves straight from ``in_progress`` to ``cancelled``: whoever ends a
#: driven run passes through ``cancelling``, so readers always see both.
MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    _S.QUEUED: frozenset({_S.IN_PROGRESS, _S.CANCELLED, _S.FAILED, _S.EXPIRED}),
    _S.IN_PROGRESS: frozenset(
        {_S.REQUIRES_ACTION, _S.CANCELLING, _S.COMPLETED, _S.INCOMPLETE, _S.FAILED, _S.EXPIRED}
    ),
    _S.REQUIRES_ACTION: frozenset({_S.QUEUED, _S.CANCELLED, _S.EXPIRED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.INCOMPLETE: frozenset(),
    _S.FAILED: frozenset(),
    _S.EXPIRED: frozenset(),
}

TERMINAL = frozenset(status for status, moves in MOVES.items() if not moves)
#: A run in one of these locks its thread: no second run beside it, no new message.
ACTIVE = frozenset(MOVES) - TERMINAL
#: Nothing more happens to such a run by itself; a stream ends here.
AT_REST = TERMINAL | {_S.REQUIRES_ACTION}
#: Statuses in which a driver may hold the run.
DRIVEN = frozenset({_S.IN_PROGRESS, _S.CANCELLING})

#: The column that records the first time a run entered a status. ``completed_at`` is
#: also set on ``incomplete`` (recorded traffic of the original service).
STAMP: dict[RunStatus, str] = {
    _S.IN_PROGRESS: "started_at",
    _S.CANCELLED: "cancelled_at",
    _S.COMPLETED: "completed_at",
    _S.INCOMPLETE: "completed_at",
    _S.FAILED: "failed_at",
    _S.EXPIRED: "expired_at",
}

#: The column that records when a step ended.
STEP_STAMP: dict[StepStatus, str] = {
    StepStatus.COMPLETED: "completed_at",
    StepStatus.FAILED: "failed_at",
    StepStatus.CANCELLED: "cancelled_at",
    StepStatus.EXPIRED: "expired_at",
}

#: How the open step, and the reason of the open message, end with the run.
CLOSING: dict[RunStatus, tuple[StepStatus, str]] = {
    _S.CANCELLED: (StepStatus.CANCELLED, "run_cancelled"),
    _S.EXPIRED: (StepStatus.EXPIRED, "run_expired"),
    _S.FAILED: (StepStatus.FAILED, "run_failed"),
}
