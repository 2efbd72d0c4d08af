"""A form made from a JSON schema. What has no field of its own is written as JSON, and says so."""

from typing import Any

from runs.console.parts import Part
from runs.console.text import HIDDEN, visible
from runs.contract.problems import Path
from runs.contract.schemas import Schema, write_json

DEPTH = 3  # objects within objects that have fields
MOST_FIELDS = 60  # of one form; larger schemas are answered as JSON

#: Words of a schema that a field can show, or that say nothing to it.
KNOWN = frozenset({
    "type", "enum", "const", "oneOf", "title", "description", "default", "examples", "format",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "properties", "required", "additionalProperties", "items", "minItems",
    "maxItems", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly",
})  # fmt: skip


def form_of(schema: Schema, name: str, element: str) -> Part:
    """The form of a schema. ``element`` begins the ids of its elements."""
    whole = part_of(schema, name)
    if sum(1 for _ in whole.walk()) > MOST_FIELDS:
        whole = Part(name, schema, "json", note=f"more than {MOST_FIELDS} fields")
    for number, part in enumerate(whole.walk()):
        part.id = f"{element}-{number}"
        if "default" in part.schema and part.kind != "group":
            part.show(part.schema["default"])
    return whole


def part_of(schema: Any, name: str, path: Path = (), required: bool = True) -> Part:
    """The field, or the group, of a part of a schema."""
    if not isinstance(schema, dict):
        return Part(name, {}, "json", path, required, note="any value")
    part = Part(name, schema, "json", path, required)
    if unknown := sorted(set(schema) - KNOWN):
        part.note = f"its schema has “{visible(unknown[0])}”"
    elif choices := choices_of(schema):
        part.kind, part.choices = "choice", choices
    else:
        by_type(part)
    return part


def by_type(part: Part) -> None:
    """Settle the kind of a field by the type in its schema."""
    given = part.schema.get("type")
    types = given if isinstance(given, list) else [given] if given else []
    rest = [name for name in types if name != "null"]
    if len(rest) != 1:
        part.note = "it may have several types" if rest else "it may have any type"
    elif rest[0] == "object":
        add_parts(part)
    elif rest[0] == "array":
        part.items = item_kind(part.schema.get("items"))
        part.kind, part.note = ("list", "") if part.items else ("json", "its items are not simple")
    else:
        part.kind = "text" if rest[0] == "string" else "number"
    part.nullable = "null" in types and part.kind != "json"


def item_kind(schema: Any) -> str:
    """The kind of a list's items that stand one per line; empty: they cannot."""
    item = part_of(schema, "")
    texts = item.kind == "choice" and all(value.startswith('"') for value, _ in item.choices)
    simple = texts or (item.kind in ("text", "number") and not item.nullable)
    return ("text" if texts else item.kind) if simple else ""


def add_parts(part: Part) -> None:
    """Make a group of an object whose properties can have fields."""
    properties = part.schema.get("properties")
    if not properties:
        part.note = "its properties are not known"
    elif len(part.path) >= DEPTH:
        part.note = f"it is nested more than {DEPTH} deep"
    elif any(not name or HIDDEN.search(name) or "\n" in name for name in properties):
        part.note = "a property has a name that cannot be shown"
    else:
        part.kind = "group"
        needed = part.schema.get("required") or ()
        part.parts = [
            part_of(inner, f"{part.name}/{pointer(name)}", (*part.path, name), name in needed)
            for name, inner in properties.items()
        ]


def pointer(name: str) -> str:
    """A property's name as part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def choices_of(schema: Schema) -> list[tuple[str, str]]:
    """The values to choose from, as JSON, with words for each; none: it is no choice."""
    types = schema.get("type")
    options = schema.get("oneOf")
    if "const" in schema:
        found = [(schema["const"], "")]
    elif "enum" in schema:
        found = [(value, "") for value in schema["enum"]]
    elif options is not None:
        if not all(isinstance(option, dict) and "const" in option for option in options):
            return []
        found = [(option["const"], str(option.get("title") or "")) for option in options]
    elif types in ("boolean", "null") or (
        isinstance(types, list) and set(types) == {"boolean", "null"}
    ):
        found = [(value, "") for value in (True, False) if types != "null"]
        found += [(None, "")] if "null" in types else []
    else:
        return []
    return [(write_json(value), visible(title or plain(value))) for value, title in found]


def plain(value: Any) -> str:
    """A value in a list of choices: a text without quotes."""
    return value if isinstance(value, str) and value else write_json(value)
