"""Reading a JSON body without being led into trouble by it.

``json.loads`` recurses with the nesting and takes duplicate names, NaN and numbers that
overflow. The scan before it is iterative and linear in the length of the body.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from runs.contract.errors import NotJson
from runs.contract.limits import JSON_DEPTH, JSON_TOKENS

#: A string (to the end of the text if it is never closed: no second look at any letter),
#: a bracket, or anything else between separators.
TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]|[^\s\[\]{}",:]+', re.DOTALL)
#: What a bracket does to the depth.
STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


class StrictJSONParser(BaseParser):
    """The one body format, whatever the Content-Type says: JSON in UTF-8."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body's value; ``{}`` for an empty one."""
        return parse(stream.read())


def parse(body: bytes) -> Any:
    """The value of a JSON text; ``{}`` for an empty one.

    Raises:
        NotJson: it is no JSON, or JSON that we refuse: not in UTF-8, deeper than
            ``JSON_DEPTH``, of more than ``JSON_TOKENS`` parts, with a name twice in an
            object, or with numbers that no double can hold.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"It is not UTF-8 at byte {error.start}.") from None
    if not text.strip():
        return {}
    scan(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=without_duplicates,
            parse_constant=refuse_constant,
            parse_float=finite,
        )
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except ValueError:  # of int(): more digits than Python takes
        raise NotJson("It holds an integer of too many digits.") from None


def scan(text: str) -> None:
    """Refuse a text that is too deep or has too many parts."""
    depth = 0
    for count, found in enumerate(TOKEN.finditer(text), start=1):
        if count > JSON_TOKENS:
            raise NotJson(f"It has more than {JSON_TOKENS} values.")
        depth += STEP.get(found[0], 0)
        if depth > JSON_DEPTH:
            raise NotJson(f"It is nested more than {JSON_DEPTH} levels deep.")


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; two readers could take different ones of two equal names."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("It holds an object with the same name twice.")
    return found


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON."""
    raise NotJson(f"{name} is not a JSON value.")


def finite(text: str) -> float:
    """A number; 1e999 is none."""
    number = float(text)
    if not math.isfinite(number):
        raise NotJson("It holds a number that is too large.")
    return number
