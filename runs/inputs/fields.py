"""Strict input fields: the JSON type that is meant or an error of the catalogue, no coercion.

Texts and codes follow recorded answers of the original service.
"""

import re
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from runs.contract import limits
from runs.inputs.refused import KINDS, Refused, expect, inside, shown

Field = serializers.Field[Any, Any, Any, Any]


class Text(Field):
    """A string of ``min_length`` to ``max_length`` characters."""

    def __init__(
        self,
        *,
        max_length: int | None = None,
        min_length: int = 0,
        pattern: str = "",
        **options: Any,
    ):
        super().__init__(**options)
        self.max_length = max_length
        self.min_length = min_length
        self.pattern = pattern

    def to_internal_value(self, data: Any) -> str:
        """The string itself."""
        expect(data, (str,))
        if len(data) < self.min_length:
            raise Refused(
                "string_below_min_length",
                "Invalid '{param}': empty string. Expected a string with minimum length "
                "{least}, but got an empty string instead.",
                least=self.min_length,
            )
        if self.max_length is not None and len(data) > self.max_length:
            raise Refused(
                "string_above_max_length",
                "Invalid '{param}': string too long. Expected a string with maximum length "
                "{most}, but got a string with length {got} instead.",
                most=self.max_length,
                got=len(data),
            )
        if self.pattern and not re.fullmatch(self.pattern, data):
            raise Refused(
                "invalid_value",
                "Invalid '{param}': string does not match pattern. Expected a string that "
                "matches the pattern '{pattern}'.",
                pattern=self.pattern,
            )
        return str(data)


class Id(Text):
    """An id whose kind its prefix names. Whether there is such an object is asked later."""

    def __init__(self, prefix: str, **options: Any):
        super().__init__(max_length=limits.ID_LENGTH, **options)
        self.prefix = prefix

    def to_internal_value(self, data: Any) -> str:
        """The id itself."""
        given = super().to_internal_value(data)
        if not given.startswith(self.prefix):
            raise Refused(
                "invalid_value",
                "Invalid '{param}': '{value}'. Expected an ID that begins with '{prefix}'.",
                value=shown(given),
                prefix=self.prefix,
            )
        return given


class Choice(Field):
    """One of a few strings."""

    def __init__(self, choices: Sequence[str], **options: Any):
        super().__init__(**options)
        self.choices = choices

    def to_internal_value(self, data: Any) -> str:
        """The string itself."""
        expect(data, (str,))
        if data not in self.choices:
            raise Refused(
                "invalid_value",
                "Invalid value: '{value}'. Supported values are: {choices}.",
                value=shown(data),
                choices=listed(self.choices),
            )
        return str(data)


def listed(choices: Sequence[str]) -> str:
    """``'a'``, ``'a' and 'b'``, ``'a', 'b', and 'c'``."""
    quoted = [f"'{choice}'" for choice in choices]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


class Flag(Field):
    """True or false."""

    def to_internal_value(self, data: Any) -> bool:
        """The boolean itself."""
        expect(data, (bool,))
        return bool(data)


class Whole(Field):
    """A whole number within bounds."""

    word = "integer"
    kinds: tuple[type, ...] = (int,)

    def __init__(self, least: int, most: int = limits.LARGEST, **options: Any):
        super().__init__(**options)
        self.least = least
        self.most = most

    def to_internal_value(self, data: Any) -> Any:
        """The number itself."""
        expect(data, self.kinds, KINDS[self.kinds[0]])
        if data < self.least:
            self.refuse(data, "below_min", "below minimum", ">=", self.least)
        if data > self.most:
            self.refuse(data, "above_max", "above maximum", "<=", self.most)
        return data

    def refuse(self, data: Any, code: str, words: str, sign: str, bound: int) -> None:
        """Refuse a number out of bounds."""
        raise Refused(
            f"{self.word}_{code}_value",
            "Invalid '{param}': {word} {words} value. Expected a value {sign} {bound}, "
            "but got {got} instead.",
            word=self.word,
            words=words,
            sign=sign,
            bound=bound,
            got=data,
        )


class Number(Whole):
    """A number within bounds, with or without decimals."""

    word = "decimal"
    kinds = (float, int)


class Items(Field):
    """An array of values of one kind."""

    def __init__(self, child: Field, *, least: int = 0, most: int | None = None, **options: Any):
        super().__init__(**options)
        self.child = child
        self.least = least
        self.most = most

    def to_internal_value(self, data: Any) -> list[Any]:
        """The checked values."""
        expect(data, (list,))
        if len(data) < self.least:
            raise Refused(
                "array_below_min_length",
                "Invalid '{param}': empty array. Expected an array with minimum length {least}, "
                "but got an empty array instead.",
                least=self.least,
            )
        if self.most is not None and len(data) > self.most:
            raise Refused(
                "array_above_max_length",
                "Invalid '{param}': array too long. Expected an array with maximum length "
                "{most}, but got an array with length {got} instead.",
                most=self.most,
                got=len(data),
            )
        checked = []
        for index, item in enumerate(data):
            with inside(index):
                expect_given(item)
                checked.append(self.child.run_validation(item))
        return checked


def expect_given(item: object) -> None:
    """Refuse null where it cannot mean "not given": as an item of an array."""
    if item is None:
        raise Refused("invalid_type", "Invalid type for '{param}': null is not allowed here.")


class Free(Field):
    """Any JSON object, kept as it was sent."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The object itself."""
        expect(data, (dict,))
        return dict(data)


class Metadata(Field):
    """Up to 16 pairs of strings."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """The object itself."""
        expect(data, (dict,))
        if len(data) > limits.METADATA_PAIRS:
            raise Refused(
                "object_above_max_properties",
                "Invalid '{param}': too many properties. Expected an object with at most {most} "
                "properties, but got an object with {got} properties instead.",
                most=limits.METADATA_PAIRS,
                got=len(data),
            )
        value_field = Text(max_length=limits.METADATA_VALUE)
        for key, value in data.items():
            if len(key) > limits.METADATA_KEY:
                raise Refused(
                    "string_above_max_length",
                    "Invalid property name in '{param}': string too long. Expected a string with "
                    "maximum length {most}, but got a string with length {got} instead.",
                    most=limits.METADATA_KEY,
                    got=len(key),
                )
            with inside(key):
                value_field.to_internal_value(value)
        return dict(data)
