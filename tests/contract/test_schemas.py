"""Which schemas are taken, and what a value has wrong by one."""

import time

import pytest

from runs.contract import problems as checks
from runs.contract.problems import TooSlow, problems
from runs.contract.schemas import (
    CHOICES,
    SCHEMA_TEXT,
    WrongSchema,
    check_schema,
    read_json,
    write_json,
)


def told(schema, value) -> dict[str, str]:
    """The problems of a value, by the path to each."""
    return {
        "/".join(str(part) for part in problem.path): problem.message
        for problem in problems(check_schema(schema), value)
    }


def nested(depth: int) -> dict:
    schema: dict = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], "A schema is a JSON object."),
        ({"type": "number or so"}, "This is no JSON schema"),
        ({"enum": 5}, "This is no JSON schema"),
        ({"minimum": float("inf")}, "This is not JSON that can be stored."),
        ({"properties": {"a": {"$ref": "https://example.com/"}}}, "$ref is not supported"),
        ({"allOf": [{"$ref": "#"}]}, "$ref is not supported"),
        ({"patternProperties": {"(a+)+$": {}}}, "patternProperties is not supported"),
        ({"pattern": "("}, "This pattern cannot be read: ("),
        ({"enum": list(range(CHOICES + 1))}, f"An enum has at most {CHOICES} values."),
        ({"title": "x" * SCHEMA_TEXT}, f"A schema has at most {SCHEMA_TEXT} characters."),
        (nested(30), "A schema is nested at most 24 deep."),
    ],
)
def test_what_is_no_schema_for_us(schema, words):
    with pytest.raises(WrongSchema, match="^" + words[:20].replace("$", r"\$")) as refused:
        check_schema(schema)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("schema", "good", "bad", "words"),
    [
        ({"type": "integer"}, 3, 3.5, "This must be a whole number."),
        ({"type": ["string", "null"]}, None, 3, "This must be a text or null."),
        ({"enum": [1, "a"]}, "a", True, "This must be one of the choices."),
        ({"const": "x"}, "x", "y", "This must be x."),
        ({"minimum": -1.5}, -1.5, -2, "This must be at least -1.5."),
        ({"exclusiveMaximum": 9}, 8, 9, "This must be less than 9."),
        ({"multipleOf": 0.1}, 0.3, 0.35, "This must be a multiple of 0.1."),
        ({"minLength": 2}, "ab", "a", "This needs at least 2 characters."),
        ({"maxItems": 1}, [1], [1, 2], "This has at most 1 items."),
        ({"pattern": "^x+$"}, "xx", "y", "This must match the pattern ^x+$"),
        ({"format": "date"}, "2026-11-28", "28.11.2026", "This must be a date such as 2026-11-28."),
        ({"format": "date-time"}, "2026-11-28T10:42:07Z", "2026-11-28T10:42:07",
         "This must be a time such as 2026-11-28T10:42:07Z."),
        ({"format": "email"}, "a@b", "a b", "This must be an email address."),
        ({"format": "uri"}, "urn:a", "a b", "This must be an address such as https://example.com/."),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 2, 3, "This must be exactly one of the choices."),
        ({"not": {"type": "null"}}, 1, None, "None should not be valid under {'type': 'null'}."),
    ],
)  # fmt: skip
def test_a_value_is_told_what_is_wrong(schema, good, bad, words):
    assert told(schema, good) == {}
    assert told(schema, bad) == {"": words}


def test_a_problem_says_where_it_is():
    schema = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "array", "items": {"type": "number"}}},
    }
    assert told(schema, {"a": [1, "x"]}) == {
        "a/1": "This must be a number.",
        "b": "This is required.",
    }


def test_formats_and_words_that_we_do_not_know_are_not_checked():
    assert told({"format": "ipv4", "uniqueItems": True, "$id": "x"}, [1, 1]) == {}


@pytest.mark.slow
def test_an_evil_pattern_ends():
    began = time.monotonic()
    with pytest.raises(TooSlow):
        problems({"type": "string", "pattern": "^(a+)+$"}, "a" * 60 + "b")
    assert time.monotonic() - began < 3 * checks.PATTERN_SECONDS


def test_a_pattern_inside_a_choice_decides_it():
    schema = {"oneOf": [{"pattern": "^a"}, {"pattern": "b$"}]}
    assert told(schema, "a") == {}
    assert told(schema, "ab") == {"": "This must be exactly one of the choices."}


@pytest.mark.slow
def test_a_large_value_under_a_large_schema_ends():
    schema = check_schema({"items": {"anyOf": [{"enum": list(range(CHOICES))}] * 10}})
    try:
        assert problems(schema, [CHOICES] * 20_000)
    except TooSlow:
        pass
    else:
        pytest.fail("this machine is faster than the test expects")


@pytest.mark.parametrize("text", ["1e999", "NaN", "[" * 100_000, '"\\ud800"', "{", "1" * 5000])
def test_what_is_no_json_says_so(text):
    with pytest.raises(ValueError, match="not JSON"):
        read_json(text)


def test_json_is_written_as_it_is():
    assert write_json(read_json('{"ä": [1.5, "\\u0000", null]}')) == '{"ä": [1.5, "\\u0000", null]}'


A, B = {"pattern": "^a$"}, {"pattern": "^b$"}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"anyOf": [A, B]}, ["a", "b", 1], ["zzz"]),
        ({"oneOf": [A, B]}, ["a", "b"], ["zzz", 1]),
        ({"oneOf": [{"pattern": "a"}, {"pattern": "b"}]}, ["a", "b"], ["zzz", "ab"]),
        ({"not": A}, ["b"], ["a"]),
        ({"not": {"type": "integer", "allOf": [A]}}, ["a", "b"], [1]),
        ({"not": {"allOf": [{"not": A}, {"not": B}]}}, ["a", "b"], ["zzz"]),
        ({"anyOf": [{"properties": {"x": A}}, {"properties": {"x": {"anyOf": [B, A]}}}]},
         [{"x": "a"}, {"x": "b"}], [{"x": "zzz"}]),
    ],
)  # fmt: skip
def test_patterns_in_branches_are_all_matched(schema, good, bad):
    assert [value for value in good if told(schema, value)] == []
    assert [value for value in bad if not told(schema, value)] == []


def test_a_check_ends_by_the_clock_it_is_given():
    with pytest.raises(TooSlow):
        problems({"type": "string"}, "a", until=time.monotonic() - 1)
    began = time.monotonic()
    with pytest.raises(TooSlow):
        problems({"pattern": "^(a+)+$"}, "a" * 60 + "b", until=began + 0.5)
    assert time.monotonic() - began < 2
