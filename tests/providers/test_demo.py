"""The demo model: one thread, one answer; scripted by its last user message."""

import asyncio
import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.providers import demo
from runs.providers.demo import Demo, read_script
from runs.providers.examples import example_of
from tests.providers.turns import Turn, ask, ask_in_vain, request


def tool(name, parameters=None):
    return {"type": "function", "function": {"name": name, "parameters": parameters or {}}}


WEATHER = tool(
    "get_weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
)
CLOCK = tool("get_time")


async def say(content: str, since=(), **fields) -> Turn:
    messages = [{"role": "user", "content": content}, *since]
    return await ask(Demo(), demo.MODEL, messages=messages, **fields)


def exchange(turn: Turn, *outputs: str):
    """Return the messages after a turn whose calls were answered with ``outputs``."""
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (_, name, arguments) in enumerate(turn.calls)
    ]
    answers = [
        {"role": "tool", "tool_call_id": call["id"], "content": output}
        for call, output in zip(calls, outputs, strict=True)
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *answers]


async def test_without_tools_it_greets_word_by_word():
    pieces = [piece async for piece in Demo().turn(request(demo.MODEL))]
    assert len(pieces) > 20
    turn = await say("Hello")
    assert "You said: Hello" in turn.text
    assert turn.reason == "stop"
    assert turn.end.usage.completion_tokens == len(pieces) - 1


async def test_the_same_question_gets_the_same_answer():
    assert await say("Hello #long 9", tools=[WEATHER]) == await say(
        "Hello #long 9", tools=[WEATHER]
    )


async def test_it_calls_every_function_once_then_sums_up():
    turn = await say("Go", tools=[WEATHER, CLOCK])
    assert turn.calls == [
        [None, "get_weather", '{"city": "example", "unit": "celsius"}'],
        [None, "get_time", "{}"],
    ]
    assert turn.reason == "tool_calls"
    answer = await say("Go", exchange(turn, "22 degrees", ""), tools=[WEATHER, CLOCK])
    assert answer.calls == []
    assert answer.text == (
        "2 calls were answered:\n\n- get_weather answered: 22 degrees\n"
        "- get_time answered: (nothing)"
    )


async def test_arguments_come_in_fragments():
    pieces = [piece async for piece in Demo().turn(request(demo.MODEL, tools=[WEATHER]))]
    assert len(pieces) == 3
    assert [piece.name for piece in pieces[:2]] == ["get_weather", None]


async def test_a_new_question_starts_over():
    turn = await say("Go", tools=[CLOCK])
    since = [*exchange(turn, "noon"), {"role": "assistant", "content": "It is noon."}]
    again = await say("Go", [*since, {"role": "user", "content": "Again"}], tools=[CLOCK])
    assert len(again.calls) == 1


CHOICES = {
    "none": ("none", []),
    "auto": ("auto", ["get_weather", "get_time"]),
    "required": ("required", ["get_weather", "get_time"]),
    "named": ({"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
}


@pytest.mark.parametrize(("choice", "names"), CHOICES.values(), ids=CHOICES)
async def test_tool_choice_is_obeyed(choice, names):
    turn = await say("Go", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [name for _, name, _ in turn.calls] == names


async def rounds(content: str, **fields) -> list[list[str]]:
    """Return the names called in each turn until there is an answer."""
    since, names = [], []
    while (turn := await say(content, since, **fields)).calls:
        since += exchange(turn, *("ok" for _ in turn.calls))
        names.append([name for _, name, _ in turn.calls])
    return names


ROUNDS = {
    "plain": ("Go", {}, [["get_weather", "get_time"]]),
    "one after the other": ("Go", {"parallel_tool_calls": False}, [["get_weather"], ["get_time"]]),
    "#parallel 3": ("#parallel 3", {}, [["get_weather", "get_time", "get_weather"]]),
    "#parallel 0": ("#parallel 0", {}, []),
    "#rounds 2": ("#rounds 2", {}, [["get_weather", "get_time"]] * 2),
    "#rounds 0": ("#rounds 0", {}, []),
    "both": ("#rounds 2 #parallel 1", {}, [["get_weather"]] * 2),
    "#call": ("#call get_time\n#call unknown {}", {}, [["get_time", "unknown"]]),
}


@pytest.mark.parametrize(("content", "fields", "expected"), ROUNDS.values(), ids=ROUNDS)
async def test_rounds_of_calls(content, fields, expected):
    assert await rounds(content, tools=[WEATHER, CLOCK], **fields) == expected


async def test_call_gives_the_arguments():
    turn = await say('Please\n#call get_weather {"city": "Oslo"}\nThanks', tools=[WEATHER])
    assert turn.calls == [[None, "get_weather", '{"city": "Oslo"}']]


ANSWERS = {
    "#say": ("Please #say The end. #no\nmore", "The end. #no", "stop"),
    "#long": ("#long 3", "word1 word2 word3", "stop"),
    "#length": ("#long 4 #length", "word1 word2", "length"),
    "#filter": ("#filter #long 4", "word1 word2", "content_filter"),
    "the last one wins": ("#long 3 #long 1", "word1", "stop"),
}


@pytest.mark.parametrize(("content", "text", "reason"), ANSWERS.values(), ids=ANSWERS)
async def test_directives_for_the_answer(content, text, reason):
    turn = await say(content)
    assert (turn.text, turn.reason) == (text, reason)


async def test_refuse():
    turn = await say("#refuse #say Never.\n")
    assert (turn.text, turn.refusal, turn.reason) == ("", "Never.", "stop")
    assert (await say("#refuse")).refusal.startswith("I was told to refuse")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("#fail", "server_error"),
        ("#fail rate_limit_exceeded", "rate_limit_exceeded"),
        ("#fail invalid_prompt", "invalid_prompt"),
        ("#fail please", "server_error"),
    ],
)
async def test_fail(content, code):
    fault = await ask_in_vain(Demo(), messages=[{"role": "user", "content": content}])
    assert (fault.code, fault.retryable) == (code, False)
    assert code in fault.message


async def test_fail_waits_for_the_calls():
    assert (await say("#fail", tools=[CLOCK])).calls


async def test_hang():
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(say("#hang"), 0.01)


async def test_delay():
    began = asyncio.get_running_loop().time()
    await say("#delay 10 #long 3")
    assert 0.03 <= asyncio.get_running_loop().time() - began < 1


async def test_the_token_limit_cuts_the_answer():
    turn = await say("#long 9", max_completion_tokens=2)
    assert (turn.text, turn.reason) == ("word1 word2", "length")


async def test_json_is_answered_with_json():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    for asked in (
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"schema": schema}},
    ):
        json.loads((await say("Hi", response_format=asked)).text)
    assert (await say("Hi", response_format=asked)).text == '{"n": 1}'


async def test_content_in_parts_and_odd_threads():
    parts = [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "#long 1"}]
    assert (await ask(Demo(), messages=[{"role": "user", "content": parts}])).text == "word1"
    assert (await ask(Demo(), messages=[])).text
    await Demo().aclose()


@pytest.mark.parametrize("words", ["#hashtag", "a#long 3", "# long 3", "#longer 3", "#long x", ""])
def test_other_words_are_not_directives(words):
    assert read_script(words) == demo.Script()


@given(st.text("#long rounds01 \n"))
def test_no_message_is_too_odd(words):
    read_script(words)


def test_every_directive_is_documented():
    pattern = demo.DIRECTIVE.pattern
    words = set(re.findall(r"[a-z]{3,}", re.sub(r"\?P<[a-z]+>", "", pattern)))
    words -= {"server", "error", "rate", "limit", "exceeded", "invalid", "prompt"}
    page = (Path(__file__).parents[2] / "docs" / "demo.md").read_text()
    for text in (page, demo.__doc__):
        assert set(re.findall(r"`#([a-z]+)", text)) == words


SCHEMAS = [
    {},
    {"type": "object"},
    {"type": ["null", "string"], "minLength": 9, "maxLength": 10},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 5, "multipleOf": 4},
    {"type": "integer", "maximum": -3},
    {"type": "number", "exclusiveMinimum": 2.5},
    {"type": "number", "minimum": 0.25, "maximum": 0.75},
    {"type": "boolean"},
    {"type": "null"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"enum": [3, 4]},
    {"const": "x"},
    {"type": "integer", "default": 7},
    {"type": "string", "examples": ["Oslo"]},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"oneOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"type": "null"}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
    {
        "type": "object",
        "properties": {"city": {"$ref": "#/$defs/city"}},
        "required": ["city"],
        "$defs": {"city": {"type": "string", "minLength": 3}},
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_an_example_fits_its_schema(schema):
    jsonschema.validate(example_of(schema), schema)


def test_a_schema_that_refers_to_itself_ends():
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}, "all": {"items": {"$ref": "#"}}},
    }
    assert json.dumps(example_of(node))
    assert example_of({"$ref": "#"}) == "example"


ODD = st.sampled_from([None, True, -1, 1.5, float("nan"), "x", [], [3], {}, {"a": 3}, "object"])
KEYS = ["type", "properties", "items", "anyOf", "allOf", "$ref", "enum", "minimum", "maximum"]
MORE = ["multipleOf", "minLength", "maxLength", "minItems", "format", "examples"]


@given(st.dictionaries(st.sampled_from(KEYS + MORE), ODD))
def test_no_schema_is_too_odd(schema):
    example_of(schema)
