"""What the fields of a run's form make of the body of a call."""

from typing import Any

#: Settings of a run that have a field of their name.
PLAIN = (
    "model",
    "instructions",
    "additional_instructions",
    "temperature",
    "top_p",
    "reasoning_effort",
    "max_prompt_tokens",
    "max_completion_tokens",
    "on_active_run",
    "expires_in",
    "action_expires_in",
)


def tool_name(tool: dict[str, Any]) -> str:
    """What a tool is ticked by: the name of its function, else its type."""
    return str(tool["function"]["name"] if tool.get("type") == "function" else tool["type"])


def settings_of(data: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, as on the wire."""
    given = {name: data[name] for name in PLAIN if data.get(name) not in (None, "")}
    if data.get("function"):
        given["tool_choice"] = {"type": "function", "function": {"name": data["function"]}}
    elif data.get("tool_choice"):
        given["tool_choice"] = data["tool_choice"]
    if data.get("parallel_tool_calls"):
        given["parallel_tool_calls"] = data["parallel_tool_calls"] == "true"
    kind, schema = data.get("response_format"), data.get("json_schema")
    if kind == "json_schema" or schema is not None:
        given["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif kind:
        given["response_format"] = kind if kind == "auto" else {"type": kind}
    kind, last = data.get("truncation"), data.get("last_messages")
    if kind == "last_messages" or last is not None:
        given["truncation_strategy"] = {"type": "last_messages", "last_messages": last}
    elif kind:
        given["truncation_strategy"] = {"type": kind}
    return given


def messages_of(data: dict[str, Any]) -> list[Any]:
    """The messages, as on the wire."""
    before = data.get("messages")
    found = before if isinstance(before, list) else [] if before is None else [before]
    text = data.get("text", "")
    return [*found, {"role": "user", "content": text}] if text.strip() else list(found)
