"""Names of the events of a stream (OpenAPI schema ``AssistantStreamEvent``)."""

from runs.contract.status import RunStatus, StepStatus

THREAD_CREATED = "thread.created"

RUN_CREATED = "thread.run.created"
STEP_CREATED = "thread.run.step.created"
STEP_IN_PROGRESS = "thread.run.step.in_progress"
STEP_DELTA = "thread.run.step.delta"
MESSAGE_CREATED = "thread.message.created"
MESSAGE_IN_PROGRESS = "thread.message.in_progress"
MESSAGE_DELTA = "thread.message.delta"
MESSAGE_COMPLETED = "thread.message.completed"
MESSAGE_INCOMPLETE = "thread.message.incomplete"

#: The last frames of a stream; they belong to the connection, not to the log.
DONE = "done"
ERROR = "error"

#: The run events after which nothing more comes in this run.
RUN_ENDS = frozenset(
    f"thread.run.{status}"
    for status in ("completed", "incomplete", "failed", "cancelled", "expired")
)
RUN_REQUIRES_ACTION = "thread.run.requires_action"


def run_event(status: RunStatus) -> str:
    """``thread.run.<status>``."""
    return f"thread.run.{status}"


def step_event(status: StepStatus) -> str:
    """``thread.run.step.<status>``."""
    return f"thread.run.step.{status}"


#: All that a log can hold.
NAMES = (
    THREAD_CREATED,
    RUN_CREATED,
    *(run_event(status) for status in RunStatus),
    STEP_CREATED,
    STEP_DELTA,
    *(step_event(status) for status in StepStatus),
    MESSAGE_CREATED,
    MESSAGE_IN_PROGRESS,
    MESSAGE_DELTA,
    MESSAGE_COMPLETED,
    MESSAGE_INCOMPLETE,
)
