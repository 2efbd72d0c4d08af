"""Bodies as a whole: what is none, what is said of a huge one, what is kept of a good one."""

import pytest

from runs.contract.errors import BadRequest
from runs.inputs.bodies import validate
from runs.inputs.serializers import (
    CreateAssistant,
    CreateRun,
    CreateThread,
    CreateThreadAndRun,
    ModifyAssistant,
    ModifyMetadata,
)
from tests.api.bodies import FUNCTION, LONG, RUN, assistant, message, run


@pytest.mark.parametrize(
    ("value", "kind"),
    [([], "an array"), (None, "null"), ("x", "a string"), (1, "an integer"), (True, "a boolean")],
)
def test_a_body_is_an_object(value, kind):
    with pytest.raises(BadRequest) as refused:
        validate(ModifyAssistant, value)
    assert (
        refused.value.message == f"The request body must be a JSON object, but got {kind} instead."
    )
    assert (refused.value.code, refused.value.param) == ("invalid_type", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"x" * 1_000_000: 1},
        {"tool_choice": "x" * 1_000_000},
        {"tools": [FUNCTION | {"x" * 1_000_000: 1}]},
    ],
)
def test_no_error_is_as_long_as_what_it_refuses(fields):
    with pytest.raises(BadRequest) as refused:
        validate(CreateRun, RUN | fields)
    assert len(refused.value.message) < 500
    assert len(refused.value.param) < 300


def test_null_is_not_given():
    for body in (ModifyAssistant, CreateThread, ModifyMetadata):
        assert validate(body, dict.fromkeys(body().fields)) == {}
    fields = {name: None for name in CreateRun().fields if name != "assistant_id"}
    assert validate(CreateRun, RUN | fields) == RUN
    assert validate(*message("x", attachments=None, metadata=None)) == message("x")[1]


FULL_RUN = {
    "assistant_id": "asst_1",
    "model": "openai/gpt-4o",
    "instructions": "",
    "additional_instructions": "More.",
    "additional_messages": [
        {"role": "assistant", "content": "Hi"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "😀"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_file", "image_file": {"file_id": "file_1"}},
            ],
            "attachments": [{"file_id": "file_1", "tools": [{"type": "file_search"}]}],
            "metadata": {"a": "b"},
        },
    ],
    "tools": [
        {"type": "code_interpreter"},
        {"type": "file_search", "file_search": {"max_num_results": 5, "ranking_options": {}}},
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "d",
                "parameters": {"type": "object", "properties": {"x": {"default": None}}},
                "strict": True,
            },
        },
    ],
    "metadata": {"k" * 64: "v" * 512},
    "temperature": 0,
    "top_p": 0.5,
    "stream": True,
    "max_prompt_tokens": 1,
    "max_completion_tokens": 16,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"a": None}, "strict": False, "description": "d"},
    },
    "reasoning_effort": "high",
}


def test_what_is_given_is_kept_as_it_is():
    assert validate(CreateRun, FULL_RUN) == FULL_RUN
    own = ("additional_instructions", "additional_messages", "reasoning_effort")
    whole = {name: value for name, value in FULL_RUN.items() if name not in own} | {
        "thread": {"messages": FULL_RUN["additional_messages"], "metadata": {}},
        "tool_resources": {
            "code_interpreter": {"file_ids": []},
            "file_search": {"vector_store_ids": ["vs_1"]},
        },
    }
    assert validate(CreateThreadAndRun, whole) == whole


def test_the_largest_that_fits():
    full = {
        "model": "m" * 256,
        "name": "n" * 256,
        "description": "d" * 512,
        "instructions": "i" * LONG,
        "tools": [FUNCTION] * 128,
        "metadata": {f"{n}": "" for n in range(16)},
        "temperature": 2,
        "top_p": 1.0,
    }
    assert validate(CreateAssistant, full) == full


def test_a_truncation_always_shows_both_keys():
    fields = validate(*run(truncation_strategy={"type": "auto"}))
    assert fields["truncation_strategy"] == {"type": "auto", "last_messages": None}


def test_null_inside_an_object_is_left_out():
    tool = {
        "type": "function",
        "function": {"name": "f", "strict": None, "parameters": {"x": None}},
    }
    (checked,) = validate(*assistant(tools=[tool]))["tools"]
    assert checked == {"type": "function", "function": {"name": "f", "parameters": {"x": None}}}
