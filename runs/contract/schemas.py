"""Which JSON schemas describe tool outputs: a subset of JSON Schema 2020-12.

A schema may be hostile: nothing is fetched, and there are no references to follow.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, SchemaError

SCHEMA_TEXT = 32_000  # characters of a schema
SCHEMA_DEPTH = 24  # nested brackets in one
CHOICES = 500  # values of an enum

#: Would be looked up, or matched in this process.
REFUSED = ("$ref", "$dynamicRef", "$recursiveRef", "patternProperties")

Schema = dict[str, Any]


class WrongSchema(ValueError):
    """A schema that is none, or that we do not take; the message says why."""


def check_schema(schema: Any) -> Schema:
    """The schema, if it is one that we take.

    Raises:
        WrongSchema: it is no JSON schema, too large, or has what is not supported.
    """
    if not isinstance(schema, dict):
        raise WrongSchema("A schema is a JSON object.")
    try:
        size = len(write_json(schema))
    except (ValueError, RecursionError) as error:
        raise WrongSchema("This is not JSON that can be stored.") from error
    if size > SCHEMA_TEXT:
        raise WrongSchema(f"A schema has at most {SCHEMA_TEXT} characters.")
    for depth, part in walk(schema):
        check_part(part, depth)
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path) or "its top"
        raise WrongSchema(f"This is no JSON schema: {error.message[:200]} ({place}).") from error
    for _, part in walk(schema):
        check_pattern(part.get("pattern"))
    return schema


def check_part(part: Schema, depth: int) -> None:
    """Refuse what takes too long to check, or to show."""
    if depth > SCHEMA_DEPTH:
        raise WrongSchema(f"A schema is nested at most {SCHEMA_DEPTH} deep.")
    for word in REFUSED:
        if word in part:
            raise WrongSchema(f"{word} is not supported here: write out what is meant.")
    if isinstance(part.get("enum"), list) and len(part["enum"]) > CHOICES:
        raise WrongSchema(f"An enum has at most {CHOICES} values.")


def check_pattern(pattern: Any) -> None:
    """Refuse a pattern that Python cannot read."""
    try:
        re.compile(pattern if isinstance(pattern, str) else "")
    except (re.error, OverflowError, RecursionError) as error:
        raise WrongSchema(f"This pattern cannot be read: {str(pattern)[:100]}") from error


def walk(schema: Any, depth: int = 1) -> Iterator[tuple[int, Schema]]:
    """Every object in a schema with its depth; deeper than is allowed only the first."""
    inner: list[Any] = []
    if isinstance(schema, dict):
        yield depth, schema
        inner = list(schema.values())
    elif isinstance(schema, list):
        inner = schema
    if depth <= SCHEMA_DEPTH:
        for part in inner:
            yield from walk(part, depth + 1)


# --- JSON ---


def read_json(text: str) -> Any:
    """The JSON value that a text is.

    Raises:
        ValueError: it is none, or one that no JSON can say again; the message says why.
    """
    try:
        value = json.loads(text)
        write_json(value).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"This is not JSON: {error.msg} in line {error.lineno}.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("This is not JSON that can be written again.") from error
    return value


def write_json(value: Any) -> str:
    """A value as JSON in one line.

    Raises:
        ValueError: it holds a number that is none.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
