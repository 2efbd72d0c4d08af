"""The settings of a run: what its own request gives, and what it takes from its assistant."""

from typing import Any

from runs.models import Assistant
from runs.operations.assistants import default_resources

#: Settings that a run takes from its assistant unless its own body gives them.
INHERITED = (
    "model",
    "instructions",
    "tools",
    "temperature",
    "top_p",
    "response_format",
    "reasoning_effort",
)
#: Settings that only a run has.
OWN = ("tool_choice", "truncation_strategy", "max_prompt_tokens", "max_completion_tokens")
#: All that a request can give of them.
SETTINGS = (
    *INHERITED,
    *OWN,
    "additional_instructions",
    "parallel_tool_calls",
    "metadata",
    "tool_resources",
)


def resolved(assistant: Assistant, fields: dict[str, Any]) -> dict[str, Any]:
    """The settings the run really has: its own, else the assistant's, else the default."""
    given = {name: value for name, value in fields.items() if value is not None}
    settled = {name: given.get(name, getattr(assistant, name)) for name in INHERITED}
    settled |= {name: given.get(name) for name in OWN}
    texts = (settled["instructions"], given.get("additional_instructions"))
    settled["instructions"] = "\n\n".join(text for text in texts if text) or None
    settled["parallel_tool_calls"] = given.get("parallel_tool_calls", True)
    settled["metadata"] = given.get("metadata", {})
    settled["tool_resources"] = given.get(
        "tool_resources", assistant.tool_resources or default_resources(settled["tools"])
    )
    return settled
