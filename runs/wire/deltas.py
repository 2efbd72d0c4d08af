"""The delta objects of a stream. A delta never holds an id inside ``delta``, nor a role."""

from typing import Any

Wire = dict[str, Any]


def text_delta(message_id: str, index: int, text: str, *, first: bool) -> Wire:
    """A piece of the text part at ``index``; the first one of a part carries annotations."""
    value: Wire = {"value": text}
    if first:
        value["annotations"] = []
    return _message_delta(message_id, {"index": index, "type": "text", "text": value})


def refusal_delta(message_id: str, index: int, text: str) -> Wire:
    """A piece of the refusal part at ``index``."""
    return _message_delta(message_id, {"index": index, "type": "refusal", "refusal": text})


def _message_delta(message_id: str, part: Wire) -> Wire:
    return {"id": message_id, "object": "thread.message.delta", "delta": {"content": [part]}}


def call_opening(step_id: str, index: int, call_id: str, name: str) -> Wire:
    """The first delta of a tool call: who is called, nothing of its arguments yet."""
    function = {"name": name, "arguments": "", "output": None}
    return _step_delta(
        step_id, {"index": index, "id": call_id, "type": "function", "function": function}
    )


def call_arguments(step_id: str, index: int, text: str) -> Wire:
    """A piece of a tool call's arguments."""
    return _step_delta(
        step_id, {"index": index, "type": "function", "function": {"arguments": text}}
    )


def _step_delta(step_id: str, call: Wire) -> Wire:
    details = {"type": "tool_calls", "tool_calls": [call]}
    return {"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}
