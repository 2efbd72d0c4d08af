"""Request bodies: objects with known fields, and the one way to check them."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework import serializers

from runs.contract.errors import BadRequest
from runs.inputs.fields import Choice, Field
from runs.inputs.refused import KINDS, Refused, expect, inside


class Body(serializers.Serializer[Any]):
    """An object with known fields. Null is the same as not given, and is left out.

    Checked in the order of the original service: required fields, unknown ones, types.
    """

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The given fields, checked."""
        expect(data, (dict,))
        self.refuse_names(data)
        checked = {}
        for name, field in self.fields.items():
            if data.get(name) is not None:
                with inside(name):
                    checked[name] = field.run_validation(data[name])
        return checked

    def refuse_names(self, data: dict[str, Any]) -> None:
        """Refuse what is missing, then what is unknown: silence would look like support."""
        for name, field in self.fields.items():
            if field.required and data.get(name) is None:
                with inside(name):
                    raise missing()
        for name in data:
            if name not in self.fields:
                with inside(name):
                    raise unknown()


def missing() -> Refused:
    """What to raise for a field that has to be given and is not."""
    return Refused("missing_required_parameter", "Missing required parameter: '{param}'.")


def unknown() -> Refused:
    """What to raise for a field that there is not."""
    return Refused("unknown_parameter", "Unknown parameter: '{param}'.")


@functools.cache
def shared(body: type[Body]) -> Body:
    """The one instance of a body. Checking changes nothing in it, and making one copies all
    of its fields: for each part of a long message that was most of the work."""
    return body()


class Tagged(Field):
    """An object whose ``type`` says which body it is; or one of a few bare words."""

    def __init__(self, bodies: Mapping[str, type[Body]], words: Sequence[str] = (), **options: Any):
        super().__init__(**options)
        self.bodies = bodies
        self.words = words

    def to_internal_value(self, data: Any) -> Any:
        """The word, or the checked object."""
        if self.words and isinstance(data, str):
            return Choice(self.words).to_internal_value(data)
        expect(data, (dict,), "one of a string or an object" if self.words else "")
        with inside("type"):
            if data.get("type") is None:
                raise missing()
            kind = Choice(tuple(self.bodies)).to_internal_value(data["type"])
        return shared(self.bodies[kind]).run_validation(data)


def validate(body: type[Body], data: object) -> dict[str, Any]:
    """The given fields of a request body, checked; null and absent ones are left out.

    Raises:
        BadRequest: something breaks a rule; code and param name the rule and the place.
    """
    if not isinstance(data, dict):
        raise BadRequest(
            f"The request body must be a JSON object, but got {KINDS.get(type(data), 'another')} "
            "instead.",
            code="invalid_type",
        )
    try:
        refuse_unstorable(data)
        checked: dict[str, Any] = shared(body).run_validation(data)
    except Refused as refused:
        raise refused.error() from None
    return checked


def refusals(body: type[Body], data: dict[str, Any]) -> list[BadRequest]:
    """All that is wrong with an object's fields, at most one for each: a form tells all at once,
    where :func:`validate` stops at the first. Empty if ``validate`` takes it."""
    whole = shared(body)
    names = [name for name, field in whole.fields.items() if field.required and name not in data]
    found = []
    for name in [*names, *data]:
        try:
            with inside(name):
                check_field(whole, name, data.get(name))
        except Refused as refused:
            found.append(refused.error())
    return found


def check_field(body: Body, name: str, value: Any) -> None:
    """Refuse what ``validate`` would refuse in this field."""
    field = body.fields.get(name)
    if field is None:
        raise unknown()
    refuse_unstorable(value)
    if value is not None:
        field.run_validation(value)
    elif field.required:
        raise missing()


def refuse_unstorable(value: object) -> None:
    """Refuse NUL characters and lone surrogates, which PostgreSQL cannot store."""
    if isinstance(value, str):
        refuse_unstorable_text(value, "a string")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_unstorable_text(key, "a property name")
            with inside(key):
                refuse_unstorable(item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            with inside(index):
                refuse_unstorable(item)


def refuse_unstorable_text(text: str, what: str) -> None:
    """As above, for one text."""
    surrogate = not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
    if surrogate or "\0" in text:
        raise Refused(
            "invalid_value",
            "Invalid '{param}': {what} with {bad} cannot be stored.",
            what=what,
            bad="half of a surrogate pair" if surrogate else "a NUL character",
        )
