"""Every route of the API with its methods, and objects to call them on."""

from dataclasses import dataclass
from typing import Any

from runs.contract import ids
from runs.contract.status import RunStatus
from runs.models import Project
from tests.factories import make_assistant, make_message, make_run, make_step, make_thread

THREAD = "threads/<str:thread_id>"
RUN = f"{THREAD}/runs/<str:run_id>"


@dataclass(frozen=True)
class Operation:
    """A method of a route, with the least body it takes and the status its run must have."""

    method: str
    route: str
    body: dict[str, Any] | None = None
    run_status: RunStatus = RunStatus.COMPLETED

    def __str__(self) -> str:
        return f"{self.method} {self.route}".replace("<str:", "").replace(">", "")

    def path(self, world: dict[str, str]) -> str:
        """Its URL for the objects in ``world``."""
        return "/v1/" + self.route.replace("<str:", "{").replace(">", "}").format(**world)

    def filled(self, world: dict[str, str]) -> dict[str, Any] | None:
        """Its body for the objects in ``world``."""
        if self.body is None:
            return None
        return {
            name: value.format(**world) if isinstance(value, str) else value
            for name, value in self.body.items()
        }


OPERATIONS = [
    Operation("GET", "assistants"),
    Operation("POST", "assistants", {"model": "gpt-4o"}),
    Operation("GET", "assistants/<str:assistant_id>"),
    Operation("POST", "assistants/<str:assistant_id>", {"name": "New"}),
    Operation("DELETE", "assistants/<str:assistant_id>"),
    Operation("GET", "threads"),  # our own
    Operation("POST", "threads", {}),
    Operation("GET", THREAD),
    Operation("POST", THREAD, {"metadata": {}}),
    Operation("DELETE", THREAD),
    Operation("GET", f"{THREAD}/messages"),
    Operation("POST", f"{THREAD}/messages", {"role": "user", "content": "Hello"}),
    Operation("GET", f"{THREAD}/messages/<str:message_id>"),
    Operation("POST", f"{THREAD}/messages/<str:message_id>", {"metadata": {}}),
    Operation("DELETE", f"{THREAD}/messages/<str:message_id>"),
    Operation("POST", "threads/runs", {"assistant_id": "{assistant_id}"}),
    Operation("GET", "runs"),  # our own
    Operation("GET", f"{THREAD}/runs"),
    Operation("POST", f"{THREAD}/runs", {"assistant_id": "{assistant_id}"}),
    Operation("GET", RUN),
    Operation("POST", RUN, {"metadata": {}}),
    Operation("POST", f"{RUN}/cancel", run_status=RunStatus.QUEUED),
    Operation(
        "POST",
        f"{RUN}/submit_tool_outputs",
        {"tool_outputs": [{"tool_call_id": "call_1", "output": "ok"}]},
        RunStatus.REQUIRES_ACTION,
    ),
    Operation("GET", f"{RUN}/steps"),
    Operation("GET", f"{RUN}/steps/<str:step_id>"),
    Operation("GET", f"{RUN}/stream"),  # our own
]
BY_NAME = {str(operation): operation for operation in OPERATIONS}
POSTS = [operation for operation in OPERATIONS if operation.method == "POST"]
ON_OBJECTS = [operation for operation in OPERATIONS if "<" in operation.route]


def make_world(project: Project, run_status: RunStatus = RunStatus.COMPLETED) -> dict[str, str]:
    """The ids of one object of each kind, by the names they have in routes."""
    assistant = make_assistant(project)
    thread = make_thread(project)
    message = make_message(thread)
    run = make_run(thread, run_status, assistant)
    waits = run_status == RunStatus.REQUIRES_ACTION
    step = run.steps.get() if waits else make_step(run)
    step.tool_calls.update(id="call_1")
    return {
        "assistant_id": assistant.id,
        "thread_id": thread.id,
        "message_id": message.id,
        "run_id": run.id,
        "step_id": step.id,
    }


def unknown_world() -> dict[str, str]:
    """Well-formed ids that no object has."""
    kinds = {
        "assistant_id": ids.ASSISTANT,
        "thread_id": ids.THREAD,
        "message_id": ids.MESSAGE,
        "run_id": ids.RUN,
        "step_id": ids.STEP,
    }
    return {name: ids.new_id(prefix) for name, prefix in kinds.items()}
