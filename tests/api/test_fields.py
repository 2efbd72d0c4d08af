"""The catalogue of input errors: text, code and param of each."""

import pytest

from runs.contract.errors import BadRequest
from runs.inputs.bodies import validate
from runs.inputs.serializers import (
    CreateAssistant,
    CreateMessage,
    CreateRun,
    CreateThread,
    CreateThreadAndRun,
    ModifyMetadata,
    Nothing,
    SubmitToolOutputs,
)
from tests.api.bodies import FUNCTION, LONG, RUN, assistant, message, run
from tests.api.refusals import bad_value, missing, out_of_range, too_long, unknown, wrong_type

PATTERN = "^[a-zA-Z0-9_-]{1,64}$"
NO_MATCH = (
    "Invalid '{0}': string does not match pattern. Expected a string that matches the pattern "
    f"'{PATTERN}'."
).replace("{1,64}", "{{1,64}}")

CASES = [
    # required, then unknown, then types
    ((CreateAssistant, {}), missing("model")),
    ((CreateAssistant, {"model": None}), missing("model")),
    ((CreateAssistant, {"foo": 1, "name": 1}), missing("model")),
    (assistant(foo=1, name=1), unknown("foo")),
    ((CreateRun, {}), missing("assistant_id")),
    ((CreateMessage, {"content": "x"}), missing("role")),
    ((CreateMessage, {"role": "user"}), missing("content")),
    ((SubmitToolOutputs, {}), missing("tool_outputs")),
    (
        (SubmitToolOutputs, {"tool_outputs": [{"output": "x"}]}),
        missing("tool_outputs[0].tool_call_id"),
    ),
    (
        (CreateThread, {"messages": [{"role": "user", "content": "x"}, {"role": "user"}]}),
        missing("messages[1].content"),
    ),
    (
        (CreateThreadAndRun, RUN | {"thread": {"messages": [{}]}}),
        missing("thread.messages[0].role"),
    ),
    ((CreateThreadAndRun, RUN | {"additional_messages": []}), unknown("additional_messages")),
    ((CreateThreadAndRun, RUN | {"reasoning_effort": "low"}), unknown("reasoning_effort")),
    ((CreateThreadAndRun, RUN | {"thread": {"foo": 1}}), unknown("thread.foo")),
    (run(thread={}), unknown("thread")),
    (assistant(tools=[{}]), missing("tools[0].type")),
    (assistant(tools=[{"type": "function"}]), missing("tools[0].function")),
    (assistant(tools=[{"type": "function", "function": {}}]), missing("tools[0].function.name")),
    (assistant(tools=[FUNCTION | {"foo": 1}]), unknown("tools[0].foo")),
    (assistant(tools=[FUNCTION, {"type": "code_interpreter", "x": 1}]), unknown("tools[1].x")),
    ((ModifyMetadata, {"role": "user"}), unknown("role")),
    ((Nothing, {"metadata": {}}), unknown("metadata")),
    # types
    (assistant(name=1), wrong_type("name", "a string", "an integer")),
    (assistant(name=True), wrong_type("name", "a string", "a boolean")),
    (assistant(name=1.5), wrong_type("name", "a string", "a decimal number")),
    (assistant(name=[]), wrong_type("name", "a string", "an array")),
    (assistant(name={}), wrong_type("name", "a string", "an object")),
    (assistant(tools={}), wrong_type("tools", "an array", "an object")),
    (assistant(tools=["function"]), wrong_type("tools[0]", "an object", "a string")),
    (assistant(tools=[{"type": 1}]), wrong_type("tools[0].type", "a string", "an integer")),
    (assistant(metadata=[]), wrong_type("metadata", "an object", "an array")),
    (assistant(metadata={"k": True}), wrong_type("metadata.k", "a string", "a boolean")),
    (assistant(metadata={"k": None}), wrong_type("metadata.k", "a string", "null")),
    (assistant(metadata={"k": {"a": 1}}), wrong_type("metadata.k", "a string", "an object")),
    (assistant(temperature="1"), wrong_type("temperature", "a decimal number", "a string")),
    (assistant(temperature=True), wrong_type("temperature", "a decimal number", "a boolean")),
    (assistant(tool_resources=[]), wrong_type("tool_resources", "an object", "an array")),
    (
        assistant(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]),
        wrong_type("tools[0].function.parameters", "an object", "an array"),
    ),
    (run(stream=1), wrong_type("stream", "a boolean", "an integer")),
    (run(stream="true"), wrong_type("stream", "a boolean", "a string")),
    (run(max_prompt_tokens="1"), wrong_type("max_prompt_tokens", "an integer", "a string")),
    (run(max_prompt_tokens=1.0), wrong_type("max_prompt_tokens", "an integer", "a decimal number")),
    (run(max_prompt_tokens=True), wrong_type("max_prompt_tokens", "an integer", "a boolean")),
    (run(tool_choice=1), wrong_type("tool_choice", "one of a string or an object", "an integer")),
    (
        run(response_format=[]),
        wrong_type("response_format", "one of a string or an object", "an array"),
    ),
    (message(1), wrong_type("content", "one of a string or an array of objects", "an integer")),
    (message(["x"]), wrong_type("content[0]", "an object", "a string")),
    (
        message([{"type": "text", "text": {"value": "x"}}]),
        wrong_type("content[0].text", "a string", "an object"),
    ),
    (
        message([None]),
        ("invalid_type", "content[0]", "Invalid type for 'content[0]': null is not allowed here."),
    ),
    (
        (SubmitToolOutputs, {"tool_outputs": [{"tool_call_id": "c", "output": 1}]}),
        wrong_type("tool_outputs[0].output", "a string", "an integer"),
    ),
    # enums
    (
        (CreateMessage, {"role": "system", "content": "x"}),
        bad_value("role", "system", "'user' and 'assistant'"),
    ),
    (run(tool_choice="any"), bad_value("tool_choice", "any", "'none', 'auto', and 'required'")),
    (
        run(tool_choice={"type": "x"}),
        bad_value("tool_choice.type", "x", "'function', 'code_interpreter', and 'file_search'"),
    ),
    (run(response_format="json"), bad_value("response_format", "json", "'auto'")),
    (
        run(response_format={"type": "xml"}),
        bad_value("response_format.type", "xml", "'text', 'json_object', and 'json_schema'"),
    ),
    (
        assistant(tools=[{"type": "{param}"}]),
        bad_value("tools[0].type", "{param}", "'code_interpreter', 'file_search', and 'function'"),
    ),
    (
        assistant(reasoning_effort="huge"),
        bad_value(
            "reasoning_effort",
            "huge",
            "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'",
        ),
    ),
    (
        run(truncation_strategy={"type": "x"}),
        bad_value("truncation_strategy.type", "x", "'auto' and 'last_messages'"),
    ),
    (
        message([{"type": "audio"}]),
        bad_value("content[0].type", "audio", "'text', 'image_url', and 'image_file'"),
    ),
    # numbers
    (assistant(temperature=3), out_of_range("temperature", "decimal", "above maximum", "<=", 2, 3)),
    (
        assistant(temperature=-0.5),
        out_of_range("temperature", "decimal", "below minimum", ">=", 0, -0.5),
    ),
    (assistant(top_p=1.01), out_of_range("top_p", "decimal", "above maximum", "<=", 1, 1.01)),
    (
        run(max_prompt_tokens=0),
        out_of_range("max_prompt_tokens", "integer", "below minimum", ">=", 1, 0),
    ),
    (
        run(max_completion_tokens=2**31),
        out_of_range("max_completion_tokens", "integer", "above maximum", "<=", 2**31 - 1, 2**31),
    ),
    (
        run(truncation_strategy={"type": "last_messages", "last_messages": 0}),
        out_of_range("truncation_strategy.last_messages", "integer", "below minimum", ">=", 1, 0),
    ),
    (
        assistant(tools=[{"type": "file_search", "file_search": {"max_num_results": 51}}]),
        out_of_range(
            "tools[0].file_search.max_num_results", "integer", "above maximum", "<=", 50, 51
        ),
    ),
    # lengths
    (assistant(name="x" * 257), too_long("name", 256, 257)),
    (assistant(description="x" * 513), too_long("description", 512, 513)),
    (assistant(instructions="x" * (LONG + 1)), too_long("instructions", LONG, LONG + 1)),
    (message("x" * (LONG + 1)), too_long("content", LONG, LONG + 1)),
    (
        message([{"type": "text", "text": "x" * (LONG + 1)}]),
        too_long("content[0].text", LONG, LONG + 1),
    ),
    (assistant(metadata={"k": "x" * 513}), too_long("metadata.k", 512, 513)),
    (
        assistant(metadata={"k" * 65: "x"}),
        (
            "string_above_max_length",
            "metadata",
            "Invalid property name in 'metadata': string too long. Expected a string with maximum "
            "length 64, but got a string with length 65 instead.",
        ),
    ),
    (
        assistant(metadata={str(n): "x" for n in range(17)}),
        (
            "object_above_max_properties",
            "metadata",
            "Invalid 'metadata': too many properties. Expected an object with at most 16 "
            "properties, but got an object with 17 properties instead.",
        ),
    ),
    (
        assistant(tools=[FUNCTION] * 129),
        (
            "array_above_max_length",
            "tools",
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got "
            "an array with length 129 instead.",
        ),
    ),
    (
        message([]),
        (
            "array_below_min_length",
            "content",
            "Invalid 'content': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
        ),
    ),
    (
        assistant(model=""),
        (
            "string_below_min_length",
            "model",
            "Invalid 'model': empty string. Expected a string with minimum length 1, but got an "
            "empty string instead.",
        ),
    ),
    (message(""), (None, "content", "Message content must be non-empty.")),
    (
        message([{"type": "text", "text": ""}]),
        (None, "content[0].text", "Message content must be non-empty."),
    ),
    *(
        (
            assistant(tools=[{"type": "function", "function": {"name": name}}]),
            ("invalid_value", "tools[0].function.name", NO_MATCH.format("tools[0].function.name")),
        )
        for name in ("", "a b", "é", "x" * 65, "a\n")
    ),
    # what no database stores
    (
        assistant(metadata={"k": "a\0b"}),
        (
            "invalid_value",
            "metadata.k",
            "Invalid 'metadata.k': a string with a NUL character cannot be stored.",
        ),
    ),
    (
        message([{"type": "text", "text": "\ud83d"}]),
        (
            "invalid_value",
            "content[0].text",
            "Invalid 'content[0].text': a string with half of a surrogate pair cannot be stored.",
        ),
    ),
    (
        assistant(metadata={"\udc00": "x"}),
        (
            "invalid_value",
            "metadata",
            "Invalid 'metadata': a property name with half of a surrogate pair cannot be stored.",
        ),
    ),
    (
        assistant(
            tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": ["\0"]}}}]
        ),
        (
            "invalid_value",
            "tools[0].function.parameters.a[0]",
            "Invalid 'tools[0].function.parameters.a[0]': a string with a NUL character cannot be "
            "stored.",
        ),
    ),
]


@pytest.mark.parametrize(("given", "expected"), CASES, ids=lambda value: str(value[1])[:60])
def test_what_is_refused(given, expected):
    with pytest.raises(BadRequest) as refused:
        validate(*given)
    error = refused.value
    assert (error.code, error.param, error.message) == expected
