"""What a value has wrong by a schema, in words. Checked by ``jsonschema``.

Schema and value may both be hostile, so the check has an end. Patterns run in a process of
their own, which can be stopped; in this one they could not.
"""

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import create

from runs.contract.schemas import Schema, walk

CHECK_SECONDS = 1.0
PATTERN_SECONDS = 3.0  # of a process that is started for it

#: What a value is checked for. Other keywords are kept, shown, and not checked.
CHECKED = (
    "type", "enum", "const", "properties", "required", "additionalProperties", "items",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "format", "minItems", "maxItems", "minProperties", "maxProperties",
    "oneOf", "anyOf", "allOf", "not",
)  # fmt: skip
FORMATS = {
    "date": "a date such as 2026-11-28",
    "date-time": "a time such as 2026-11-28T10:42:07Z",
    "email": "an email address",
    "uri": "an address such as https://example.com/",
}
TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}

Path = tuple[str | int, ...]
Check = Callable[..., Any]


class TooSlow(Exception):
    """A value could not be checked in time."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the part of a value at ``path``."""

    path: Path
    message: str


def problems(schema: Schema, value: Any, until: float = math.inf) -> list[Problem]:
    """What is wrong with a value by a schema that went through ``check_schema``.

    Raises:
        TooSlow: it could not be told within a few seconds, or before ``until``, which is a time
            of the monotonic clock.
    """
    matches: Matches = {}
    if any("pattern" in part for _, part in walk(schema)):
        list(validator(schema, matches, until, learn=True).iter_errors(value))
        matches = matched(list(matches), until)
    return [
        Problem(path, message)
        for error in validator(schema, matches, until).iter_errors(value)
        for path, message in told(error)
    ]


#: Whether a pattern, the first of the pair, is found in a text.
Matches = dict[tuple[str, str], bool]


def validator(schema: Schema, matches: Matches, until: float, learn: bool = False) -> Any:
    """A validator that looks up in ``matches`` which text matches which pattern; to ``learn``,
    it goes through every branch and writes there all that could be asked."""
    deadline = min(time.monotonic() + CHECK_SECONDS, until)

    def timed(check: Check) -> Check:
        def within(*given: Any) -> Any:
            if time.monotonic() > deadline:
                raise TooSlow
            return check(*given)

        return within

    checks = {word: Draft202012Validator.VALIDATORS[word] for word in CHECKED}
    checks |= {"pattern": pattern_check(matches, learn), "multipleOf": multiple_of}
    if learn:
        checks |= {"anyOf": every, "oneOf": every, "not": the_opposite}
    made = create(
        meta_schema=Draft202012Validator.META_SCHEMA,
        validators={word: timed(check) for word, check in checks.items()},
        type_checker=Draft202012Validator.TYPE_CHECKER,
        id_of=lambda _: "",
    )
    return made(schema, format_checker=CHECKER)


def pattern_check(matches: Matches, learn: bool) -> Check:
    """The keyword pattern by ``matches``, or the writing of these."""

    def pattern(_: Any, wanted: str, text: Any, __: Any) -> Iterator[ValidationError]:
        if not isinstance(text, str):
            return
        if learn:
            matches[wanted, text] = True
        elif not matches[wanted, text]:
            yield ValidationError("")

    return pattern


def every(validator: Any, branches: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    """All branches, where anyOf and oneOf would stop at one that fits."""
    for branch in branches:
        yield from validator.descend(value, branch)


def the_opposite(validator: Any, branch: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    """All of a branch, where ``not`` would stop at its first error."""
    yield from validator.descend(value, branch)


def multiple_of(_: Any, step: float, number: Any, __: Any) -> Iterator[ValidationError]:
    """The keyword multipleOf, exactly: 0.3 is a multiple of 0.1."""
    numeric = isinstance(number, int | float) and not isinstance(number, bool)
    if numeric and Fraction(str(number)) % Fraction(str(step)):
        yield ValidationError("")


def matched(pairs: list[tuple[str, str]], until: float) -> Matches:
    """Which of these texts match their patterns.

    Raises:
        TooSlow: one of them has not been told in time.
    """
    try:
        done = subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-I", "-S", "-c", MATCHER],
            input=json.dumps(pairs),
            capture_output=True,
            text=True,
            timeout=max(0.0, min(PATTERN_SECONDS, until - time.monotonic())),
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise TooSlow from error
    return dict(zip(pairs, json.loads(done.stdout), strict=True))


MATCHER = (
    "import json, re, sys;"
    "print(json.dumps([bool(re.search(p, t)) for p, t in json.load(sys.stdin)]))"
)

CHECKER = FormatChecker(())


@CHECKER.checks("date", raises=ValueError)
def is_date(text: object) -> bool:
    """2026-11-28."""
    return not isinstance(text, str) or (len(text) == 10 and bool(date.fromisoformat(text)))


@CHECKER.checks("date-time", raises=ValueError)
def is_time(text: object) -> bool:
    """2026-11-28T10:42:07Z: with a zone."""
    if not isinstance(text, str):
        return True
    return "T" in text.upper() and datetime.fromisoformat(text).tzinfo is not None


@CHECKER.checks("email")
def is_email(text: object) -> bool:
    """Something that looks like an address of mail."""
    return not isinstance(text, str) or bool(re.fullmatch(r"[^@\s]+@[^@\s]+", text))


@CHECKER.checks("uri", raises=ValueError)
def is_uri(text: object) -> bool:
    """An address with a scheme, without spaces."""
    if not isinstance(text, str):
        return True
    return bool(urlsplit(text).scheme) and not re.search(r"\s", text)


# --- what is wrong, in words ---


def told(error: Any) -> Iterator[tuple[Path, str]]:
    """Where an error is, and what it says to a person; one for each name that is missing."""
    path = tuple(error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield (*path, name), "This is required."
        return
    yield path, words_of(str(error.validator), error.validator_value, error.message)


def words_of(keyword: str, wanted: Any, message: str) -> str:
    """What a broken keyword says."""
    if keyword in SENTENCES:
        return SENTENCES[keyword].format(str(wanted)[:100])
    if keyword == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return f"This must be {' or '.join(TYPES[name] for name in names)}."
    if keyword == "format":
        return f"This must be {FORMATS[wanted]}."
    return f"{message[:200]}."


SENTENCES = {
    "enum": "This must be one of the choices.",
    "const": "This must be {}.",
    "oneOf": "This must be exactly one of the choices.",
    "anyOf": "This must be one of what is allowed.",
    "minimum": "This must be at least {}.",
    "maximum": "This must be at most {}.",
    "exclusiveMinimum": "This must be more than {}.",
    "exclusiveMaximum": "This must be less than {}.",
    "multipleOf": "This must be a multiple of {}.",
    "minLength": "This needs at least {} characters.",
    "maxLength": "This has at most {} characters.",
    "minItems": "This needs at least {} items.",
    "maxItems": "This has at most {} items.",
    "pattern": "This must match the pattern {}",
}
