"""What a run has of the settings that its form leaves empty."""

from typing import Any

from django.conf import settings

from runs.console.text import visible
from runs.models import Assistant

SHOWN = 300  # characters of instructions

#: Values to show by the name of the form's field.
Inherited = dict[str, str]

DEFAULTS: Inherited = {
    "model": "Name of a model",
    "instructions": "Inherited: none",
    "additional_instructions": "None",
    "temperature": "Inherited: the model's own",
    "top_p": "Inherited: the model's own",
    "reasoning_effort": "Inherited: the model's own",
    "response_format": "Inherited: auto",
    "tool_choice": "Default: auto",
    "parallel_tool_calls": "Default: allowed",
    "max_prompt_tokens": "Default: no limit",
    "max_completion_tokens": "Default: no limit",
    "truncation": "Default: auto",
    "last_messages": "Default: all",
    "on_active_run": "Default: reject",
    "function": "Default: none",
}


def inherited(assistant: Assistant | None) -> Inherited:
    """By the name of each field: the value that an empty one stands for."""
    waits = settings.RUNSITE_ACTION_LIFETIME
    found = DEFAULTS | {
        "expires_in": f"Default: {settings.RUNSITE_RUN_LIFETIME}",
        "action_expires_in": f"Default: {waits}" if waits else "Default: what is left of the run",
    }
    if assistant is None:
        return found
    for name in ("model", "instructions", "temperature", "top_p", "reasoning_effort"):
        value = getattr(assistant, name)
        if value not in (None, ""):
            found[name] = f"Inherited: {short(value)}"
    if assistant.response_format:
        found["response_format"] = f"Inherited: {format_name(assistant.response_format)}"
    return found


def short(value: Any) -> str:
    """A value in one glance."""
    text = visible(str(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def format_name(value: Any) -> str:
    """The kind of a response format."""
    return str(value["type"]) if isinstance(value, dict) else str(value)
