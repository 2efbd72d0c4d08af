"""Bodies of which a test says only what matters, each with its serializer to check it by."""

from typing import Any

from runs.inputs.bodies import Body
from runs.inputs.serializers import CreateAssistant, CreateMessage, CreateRun

Given = tuple[type[Body], dict[str, Any]]

RUN = {"assistant_id": "asst_1"}
FUNCTION = {"type": "function", "function": {"name": "f"}}
LONG = 256_000


def assistant(**fields: Any) -> Given:
    """A new assistant."""
    return CreateAssistant, {"model": "m", **fields}


def run(**fields: Any) -> Given:
    """A new run."""
    return CreateRun, RUN | fields


def message(content: Any, **fields: Any) -> Given:
    """A new message of the user."""
    return CreateMessage, {"role": "user", "content": content, **fields}
