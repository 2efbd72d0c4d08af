"""What bodies the OpenAPI document takes: the same as the code."""

import pytest

from runs.contract.errors import BadRequest
from runs.inputs import serializers
from runs.inputs.bodies import Body, validate
from tests.api.openapi import Schema, problems
from tests.factories import WEATHER

pytestmark = pytest.mark.slow

# --- what bodies are taken: by the document as by the code ---

LONG = "x" * 256
ASSISTANT: Schema = {"assistant_id": "asst_" + 24 * "a"}
SAMPLES: list[tuple[type[Body], Schema, bool]] = [
    (serializers.CreateAssistant, {"model": "m"}, True),
    (serializers.CreateAssistant, {}, False),
    (serializers.CreateAssistant, {"model": None}, False),
    (serializers.CreateAssistant, {"model": ""}, False),
    (serializers.CreateAssistant, {"model": LONG}, True),
    (serializers.CreateAssistant, {"model": LONG + "x"}, False),
    (serializers.CreateAssistant, {"model": 1}, False),
    (serializers.CreateAssistant, {"model": "m", "name": None, "tools": None}, True),
    (serializers.CreateAssistant, {"model": "m", "colour": "red"}, False),
    (serializers.CreateAssistant, {"model": "m", "tools": [WEATHER] * 128}, True),
    (serializers.CreateAssistant, {"model": "m", "tools": [WEATHER] * 129}, False),
    (serializers.CreateAssistant, {"model": "m", "tools": [None]}, False),
    (serializers.CreateAssistant, {"model": "m", "tools": [{"type": "web_search"}]}, False),
    (serializers.CreateAssistant, {"model": "m", "tools": [{"type": "function"}]}, False),
    (serializers.CreateAssistant, {"model": "m", "temperature": 2}, True),
    (serializers.CreateAssistant, {"model": "m", "temperature": 2.1}, False),
    (serializers.CreateAssistant, {"model": "m", "temperature": True}, False),
    (serializers.CreateAssistant, {"model": "m", "reasoning_effort": "high"}, True),
    (serializers.CreateAssistant, {"model": "m", "reasoning_effort": "huge"}, False),
    (serializers.CreateAssistant, {"model": "m", "response_format": "auto"}, True),
    (serializers.CreateAssistant, {"model": "m", "response_format": "text"}, False),
    (serializers.CreateAssistant, {"model": "m", "response_format": {"type": "text"}}, True),
    (
        serializers.CreateAssistant,
        {"model": "m", "response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        False,
    ),
    (
        serializers.CreateAssistant,
        {"model": "m", "metadata": {str(i): "" for i in range(16)}},
        True,
    ),
    (
        serializers.CreateAssistant,
        {"model": "m", "metadata": {str(i): "" for i in range(17)}},
        False,
    ),
    (serializers.CreateAssistant, {"model": "m", "metadata": {"x" * 65: ""}}, False),
    (serializers.CreateAssistant, {"model": "m", "metadata": {"a": "x" * 513}}, False),
    (serializers.CreateAssistant, {"model": "m", "metadata": {"a": 1}}, False),
    (
        serializers.CreateAssistant,
        {"model": "m", "tool_resources": {"code_interpreter": {"file_ids": ["f"] * 21}}},
        False,
    ),
    (serializers.ModifyAssistant, {}, True),
    (serializers.CreateMessage, {"role": "user", "content": "Hi"}, True),
    (serializers.CreateMessage, {"role": "user", "content": ""}, False),
    (serializers.CreateMessage, {"role": "user", "content": []}, False),
    (serializers.CreateMessage, {"role": "system", "content": "Hi"}, False),
    (serializers.CreateMessage, {"role": "user", "content": "x" * 256_001}, False),
    (
        serializers.CreateMessage,
        {"role": "user", "content": [{"type": "text", "text": "Hi"}], "attachments": None},
        True,
    ),
    (serializers.CreateMessage, {"role": "user", "content": [{"type": "text"}]}, False),
    (serializers.CreateThread, {"messages": [{"role": "user", "content": "Hi"}]}, True),
    (serializers.CreateThread, {"messages": [{"role": "user"}]}, False),
    (serializers.CreateRun, ASSISTANT, True),
    (serializers.CreateRun, {"assistant_id": "thread_" + 24 * "a"}, False),
    (serializers.CreateRun, ASSISTANT | {"stream": "yes"}, False),
    (serializers.CreateRun, ASSISTANT | {"max_prompt_tokens": 0}, False),
    (serializers.CreateRun, ASSISTANT | {"max_prompt_tokens": 1}, True),
    (serializers.CreateRun, ASSISTANT | {"max_prompt_tokens": 2**31}, False),
    (serializers.CreateRun, ASSISTANT | {"tool_choice": "required"}, True),
    (serializers.CreateRun, ASSISTANT | {"tool_choice": {"type": "function"}}, False),
    (serializers.CreateRun, ASSISTANT | {"truncation_strategy": {"type": "auto"}}, True),
    (serializers.CreateRun, ASSISTANT | {"truncation_strategy": {"type": "last_messages"}}, False),
    (
        serializers.CreateRun,
        ASSISTANT | {"truncation_strategy": {"type": "last_messages", "last_messages": 1}},
        True,
    ),
    (serializers.CreateRun, ASSISTANT | {"on_active_run": "queue"}, True),
    (serializers.CreateRun, ASSISTANT | {"on_active_run": "wait"}, False),
    (serializers.CreateRun, ASSISTANT | {"expires_in": 0}, False),
    (serializers.CreateRun, ASSISTANT | {"expires_in": 30 * 86400}, True),
    (serializers.CreateRun, ASSISTANT | {"action_expires_in": 30 * 86400 + 1}, False),
    (serializers.CreateThreadAndRun, ASSISTANT | {"thread": {"messages": []}}, True),
    (serializers.CreateThreadAndRun, ASSISTANT | {"thread": {"foo": 1}}, False),
    (serializers.SubmitToolOutputs, {"tool_outputs": []}, True),
    (serializers.SubmitToolOutputs, {"tool_outputs": [{"tool_call_id": "c"}]}, True),
    (serializers.SubmitToolOutputs, {"tool_outputs": [{"output": "x"}]}, False),
]


def accepted(body: type[Body], value: Schema) -> bool:
    """Whether the code takes it."""
    try:
        validate(body, value)
    except BadRequest:
        return False
    return True


@pytest.mark.parametrize(("body", "value", "good"), SAMPLES)
def test_the_document_takes_what_the_code_takes(body, value, good):
    name = f"#/components/schemas/{body.__name__}Request"
    assert accepted(body, value) is good
    found = problems({"$ref": name}, value)
    assert (found == []) is good, found
