"""Links: which operations the answer of another gives the ids for."""

import re

from runs.api.openapi.operations import OPERATIONS
from runs.api.openapi.schemas import Schema

#: Where an object has the ids that name it.
IDS_IN: dict[str, dict[str, str]] = {
    "AssistantObject": {"assistant_id": "/id"},
    "ThreadObject": {"thread_id": "/id"},
    "MessageObject": {"thread_id": "/thread_id", "message_id": "/id"},
    "RunObject": {"thread_id": "/thread_id", "run_id": "/id"},
    "RunStepObject": {"thread_id": "/thread_id", "run_id": "/run_id", "step_id": "/id"},
}
#: What the objects of a list are.
LISTED = {
    "ListRunStepsResponse": "RunStepObject",
}


def links_of(method: str, path: str) -> Schema:
    """From what creates an object to all that takes just its ids. Retrieving it leads nowhere
    that its creation did not, nor does a list, which may be empty. Only steps are not created
    by a caller: to them the list leads, by its first one."""
    operation = OPERATIONS[method, path]
    listed = operation.answer in LISTED
    if not listed and not operation.id.startswith("create"):
        return {}
    where = IDS_IN[LISTED.get(operation.answer, operation.answer)]
    place = "$response.body#/data/0" if listed else "$response.body#"
    given = {name: place + pointer for name, pointer in where.items()}
    found: Schema = {}
    for (_, other), target in OPERATIONS.items():
        if set(re.findall(r"{(\w+)}", other)) == set(given):
            found[target.id] = {"operationId": target.id, "parameters": given}
    if operation.answer == "AssistantObject":
        body = {"assistant_id": given["assistant_id"]}
        found["createThreadAndRun"] = {"operationId": "createThreadAndRun", "requestBody": body}
    return found
