"""What the calls of a function were answered with before, and what that teaches about the next."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models.functions import Length

from runs.contract.schemas import Schema, WrongSchema, check_schema, read_json
from runs.models import Project, ToolCall

LEARNED_FROM = 20  # outputs of a function
OUTPUT_TEXT = 16_000  # characters of an output that is learned from, or of its call's arguments
FUNCTIONS = 8  # of a page that earlier outputs are looked up for
DEPTH = 3  # objects within objects that are described


@dataclass(frozen=True, slots=True)
class Lessons:
    """What the earlier calls of one function are good for."""

    schema: Schema | None = None  # for outputs like theirs
    outputs: dict[str, str] = field(default_factory=dict)  # the newest by ``meaning`` of arguments

    @classmethod
    def of(cls, calls: Sequence[ToolCall]) -> "Lessons":
        """What these calls, newest first, are good for."""
        outputs = {meaning(call.arguments): call.output or "" for call in reversed(calls)}
        return cls(learned_schema(calls), outputs)

    def last_output(self, arguments: str) -> str | None:
        """The newest output for the same arguments, whatever their order and spaces."""
        return self.outputs.get(meaning(arguments)) if self.outputs else None


def lessons(project: Project, functions: Iterable[str]) -> dict[str, Lessons]:
    """What the earlier calls of some functions in a project are good for, by function."""
    earlier = earlier_calls(project, functions)
    return {name: Lessons.of(calls) for name, calls in earlier.items()}


def earlier_calls(project: Project, functions: Iterable[str]) -> dict[str, list[ToolCall]]:
    """The last answered calls of some functions in a project, newest first. One query for each
    function, of a few at most."""
    answered = ToolCall.objects.for_project(project).exclude(output=None).order_by("-number")
    sized = answered.annotate(size=Length("output"), asked=Length("arguments"))
    short = sized.filter(size__lte=OUTPUT_TEXT, asked__lte=OUTPUT_TEXT)
    rows = short.only("name", "arguments", "output")
    names = sorted(set(functions))[:FUNCTIONS]
    return {name: list(rows.filter(name=name)[:LEARNED_FROM]) for name in names}


def meaning(arguments: str) -> str:
    """Arguments in one spelling."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def learned_schema(calls: Sequence[ToolCall]) -> Schema | None:
    """A schema for outputs like those of these calls; None: they have no common shape."""
    found = []
    for call in calls:
        try:
            found.append(read_json(call.output or ""))
        except ValueError:
            continue
    objects = [value for value in found if isinstance(value, dict) and value]
    if not objects or 2 * len(objects) < len(calls):
        return None
    try:
        return check_schema(schema_like(objects))
    except WrongSchema:
        return None


def schema_like(values: Sequence[Any], depth: int = 0) -> Schema:
    """A schema that all of these values fit, the newest of them first."""
    kinds = {kind_of(value) for value in values}
    nullable = "null" in kinds and len(kinds) > 1
    kinds -= {"null"} if nullable else set()
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    kind = kinds.pop() if len(kinds) == 1 else ""
    if not kind or (kind == "object" and depth > DEPTH):
        return {}
    schema: Schema = {"type": [kind, "null"] if nullable else kind}
    known = [value for value in values if value is not None]
    if kind == "object":
        schema |= object_like(known, depth)
    elif kind == "array":
        items = [item for value in known for item in value]
        schema |= {"items": schema_like(items, depth + 1)} if items else {}
    elif kind in ("string", "number", "integer"):
        schema["examples"] = known[:1]
    return schema


def object_like(values: Sequence[dict[str, Any]], depth: int) -> Schema:
    """The properties of objects; those that all of them have are required."""
    names = dict.fromkeys(name for value in values for name in value)
    required = [name for name in names if all(name in value for value in values)]
    properties = {
        name: schema_like([value[name] for value in values if name in value], depth + 1)
        for name in names
    }
    return {"properties": properties, "required": required}


def kind_of(value: Any) -> str:
    """The type of a value, in the words of JSON Schema."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]
