"""An example of what a JSON schema describes: the same schema always gives the same example."""

from typing import Any

MAX_DEPTH = 6  # schemas may refer to themselves

STRINGS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example_of(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """Return a value for ``schema``, which may be any JSON.

    What the schema itself offers comes first: ``const``, ``default``, the first of ``examples``
    or ``enum``. Otherwise a plain value of its type, within minimum, maximum and lengths;
    all properties of an object, required or not. ``pattern`` and conditions are not looked at.
    """
    root = schema if root is None else root
    schema = resolve(schema, root, depth)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    kind = type_of(schema)
    if kind == "object":
        return object_example(schema, root, depth)
    if kind == "array":
        count = max(int(bound(schema, "minItems", 1)), 1) if depth < MAX_DEPTH else 0
        return [example_of(schema.get("items"), root, depth + 1)] * min(count, 10)
    if kind in ("integer", "number"):
        return number_example(schema, whole=kind == "integer")
    return string_example(schema) if kind == "string" else {"boolean": True}.get(kind)


def resolve(schema: Any, root: Any, depth: int) -> dict[str, Any]:
    """Return the schema with its reference, alternatives and parts put in its place."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return {}
    if isinstance(reference := schema.get("$ref"), str):
        target = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step) if isinstance(target, dict) else None
        return resolve(target, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return resolve(schema[key][0], root, depth + 1)
    merged = dict(schema)
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else []:
        part = resolve(part, root, depth + 1)
        properties = {**properties_of(merged), **properties_of(part)}
        merged = {**merged, **part} | ({"properties": properties} if properties else {})
    return merged


def properties_of(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if properties_of(schema) else "string"


def object_example(schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        return {}
    return {name: example_of(part, root, depth + 1) for name, part in properties_of(schema).items()}


def number_example(schema: dict[str, Any], *, whole: bool) -> int | float:
    step = bound(schema, "multipleOf", 0)
    least = bound(schema, "minimum", bound(schema, "exclusiveMinimum", 0) + 1)
    value = min(max(1, least), bound(schema, "maximum", max(1, least)))
    if step > 0:
        value = -(-value // step) * step
    return int(value) if whole or value == int(value) else value


def string_example(schema: dict[str, Any]) -> str:
    kind = schema.get("format")
    text = STRINGS.get(kind, "example") if isinstance(kind, str) else "example"
    text = text.ljust(min(int(bound(schema, "minLength", 0)), 1000), "x")
    return text[: int(bound(schema, "maxLength", len(text)))]


def bound(schema: dict[str, Any], key: str, default: float) -> float:
    value = schema.get(key)
    return value if isinstance(value, int | float) and abs(value) < 1e15 else default
