"""What a run was asked, to be asked again: as a body of the API, as code, and in the form."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings

from runs.console import code
from runs.console.ad_hoc import is_ad_hoc
from runs.console.run_body import tool_name
from runs.contract import limits
from runs.models import Assistant, Run, RunStep
from runs.operations.reruns import lifetime, seen

#: Settings that an assistant has as well.
SHARED = ("model", "instructions", "temperature", "top_p", "response_format", "reasoning_effort")
#: Settings that only a run has, but for metadata.
OWN = ("tool_choice", "truncation_strategy", "max_prompt_tokens", "max_completion_tokens")
#: What asks for the value that a run without a setting has, where its assistant has one.
NONE = {"instructions": "", "temperature": 1, "top_p": 1, "response_format": "auto"}


def calls_of(run: Run) -> list[code.Call]:
    """The calls that ask for the same: a thread with what the run saw, and a run on it."""
    assistant = assistant_of(run)
    calls = [] if assistant else [code.create_assistant(run.model)]
    calls.append(code.create_thread([body_of(columns) for columns in seen(run)]))
    body = {
        "assistant_id": assistant.id if assistant else code.Answer("assistant"),
        **settings_of(run, assistant),
    }
    return [*calls, code.create_run(code.Answer("thread"), body)]


def submissions(run: Run, steps: Sequence[RunStep]) -> Iterator[tuple[RunStep, code.Call]]:
    """The calls that submitted outputs, by the step that they answered."""
    for step in steps:
        calls = sorted(step.tool_calls.all(), key=lambda call: call.index)
        if calls and all(call.submitted_at for call in calls):
            outputs = [{"tool_call_id": call.id, "output": call.output} for call in calls]
            yield step, code.submit_outputs(run.thread_id, run.id, outputs)


def assistant_of(run: Run) -> Assistant | None:
    """The run's assistant, unless it was deleted."""
    rows = Assistant.objects.for_project(run.project)
    return rows.filter(id=run.assistant_id).first()


def settings_of(run: Run, assistant: Assistant | None) -> dict[str, Any]:
    """All settings of a run that are not what it would have anyway, as on the wire."""
    found = {name: getattr(run, name) for name in (*SHARED, *OWN)}
    for name, none in NONE.items():
        if found[name] is None and assistant and getattr(assistant, name) is not None:
            found[name] = none
    body = {name: without_null(value) for name, value in found.items() if value is not None}
    if run.tools or (assistant and assistant.tools):
        body["tools"] = run.tools
    if not run.parallel_tool_calls:
        body["parallel_tool_calls"] = False
    if run.metadata:
        body["metadata"] = run.metadata
    if (seconds := lifetime(run)) != settings.RUNSITE_RUN_LIFETIME:
        body["expires_in"] = seconds
    if run.action_lifetime:
        body["action_expires_in"] = run.action_lifetime
    return body


def without_null(value: Any) -> Any:
    """An object without what it does not say."""
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part is not None}
    return value


def body_of(columns: dict[str, Any]) -> dict[str, Any]:
    """A stored message as it is given to the API."""
    parts = [part_of(part) for part in columns["content"]]
    text = parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else None
    body = {"role": columns["role"], "content": parts if text is None else text}
    return body | {name: columns[name] for name in ("attachments", "metadata") if columns[name]}


def part_of(part: dict[str, Any]) -> dict[str, Any]:
    """A part of a message as it is given: a text is plain, and so is a refusal."""
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if part["type"] == "refusal":
        return {"type": "text", "text": part["refusal"]}
    return part


# --- in the form ---


def form_values(run: Run) -> dict[str, Any]:
    """The values of the form that asks for the same. Settings that the assistant would give
    stay empty."""
    assistant = assistant_of(run)
    named = None if assistant is None or is_ad_hoc(assistant) else assistant
    body = settings_of(run, assistant)
    for name in SHARED if named else ():
        if name in body and body[name] == getattr(named, name):
            del body[name]
    values: dict[str, Any] = {"from_run": run.id, "assistant": named.id if named else ""}
    values |= {name: value for name, value in body.items() if isinstance(value, str | int | float)}
    values |= tools_in_form(run, named) | split_fields(body)
    return values | messages_in_form(run)


def tools_in_form(run: Run, assistant: Assistant | None) -> dict[str, Any]:
    """Which of the assistant's tools are ticked, and the others as JSON."""
    offered = assistant.tools if assistant else []
    more = [tool for tool in run.tools if tool not in offered]
    ticked = [tool_name(tool) for tool in offered if tool in run.tools]
    return {"tool": ticked, "tools": typed(more) if more else ""}


def split_fields(body: dict[str, Any]) -> dict[str, Any]:
    """The settings that take more than one field."""
    values: dict[str, Any] = {}
    if isinstance(choice := body.get("tool_choice"), dict) and "function" in choice:
        values["function"] = choice["function"]["name"]
    if isinstance(kind := body.get("response_format"), dict):
        values["response_format"] = kind["type"]
        values["json_schema"] = typed(kind["json_schema"]) if "json_schema" in kind else ""
    if strategy := body.get("truncation_strategy"):
        values["truncation"] = strategy["type"]
        values["last_messages"] = strategy.get("last_messages", "")
    if "parallel_tool_calls" in body:
        values["parallel_tool_calls"] = "false"
    pairs = list(body.get("metadata", {}).items())[: limits.METADATA_PAIRS]
    for row, (key, value) in enumerate(pairs):
        values |= {f"metadata_key_{row}": key, f"metadata_value_{row}": value}
    return values


def messages_in_form(run: Run) -> dict[str, Any]:
    """The last message as text, if it is one, and those before it as JSON."""
    bodies = [body_of(columns) for columns in seen(run)]
    text = ""
    if bodies and is_typed(bodies[-1]):
        text = bodies.pop()["content"]
    return {"text": text, "messages": typed(bodies) if bodies else ""}


def is_typed(message: dict[str, Any]) -> bool:
    """Whether a message is one that the form has a field for."""
    plain = set(message) == {"role", "content"} and message["role"] == "user"
    return plain and isinstance(message["content"], str)


def typed(value: Any) -> str:
    """JSON as a person would type it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
