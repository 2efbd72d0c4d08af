"""What differs between two OpenAPI documents: operation by operation, property by property.

A difference is a line: whether it is about what is sent or answered, the place in the first
document's words, the fact, and its value in either: ``sent CreateRunRequest.tools maxItems
20 -> 128``. A value that one does not have is ``-``.
"""

import json
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

#: Facts of a schema that stand in it as they are.
PLAIN = (
    "type",
    "enum",
    "format",
    "pattern",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
)


class Diff:
    """Two documents side by side."""

    def __init__(self, theirs: Schema, ours: Schema):
        self.theirs = theirs
        self.ours = ours
        self.seen: set[str] = set()

    def lines(self) -> Iterator[str]:
        """All differences."""
        left, right = operations(self.theirs), operations(self.ours)
        for name in sorted(set(left) | set(right)):
            if name not in left or name not in right:
                yield line(name, "operation", name in left, name in right)
            else:
                yield from self.operation(left[name], right[name])

    def operation(self, left: Schema, right: Schema) -> Iterator[str]:
        """Differences of one operation."""
        name = left["operationId"]
        yield from same(name, "operationId", left, right)
        one, other = parameters(left), parameters(right)
        for key in sorted(set(one) | set(other)):
            place = f"sent {name} {key}"
            if key not in one or key not in other:
                yield line(place, "parameter", key in one, key in other)
                continue
            yield from self.schema(place, one[key]["schema"], other[key]["schema"])
            if bool(one[key].get("required")) != bool(other[key].get("required")):
                yield line(place, "required", one[key].get("required"), other[key].get("required"))
        one, other = left.get("requestBody", {}), right.get("requestBody", {})
        if bool(one.get("required")) != bool(other.get("required")):
            yield line(f"sent {name}", "required", one.get("required"), other.get("required"))
        yield from self.contents(f"sent {name}", one, other)
        one, other = left["responses"], right["responses"]
        for status in sorted(set(one) | set(other)):
            if status not in one or status not in other:
                yield line(name, status, status in one, status in other)
        yield from self.contents(f"answered {name}", one["200"], other["200"])

    def contents(self, place: str, left: Schema, right: Schema) -> Iterator[str]:
        """Differences of what a body or an answer may hold."""
        one, other = left.get("content", {}), right.get("content", {})
        for kind in sorted(set(one) | set(other)):
            if kind not in one or kind not in other:
                yield line(place, kind, kind in one, kind in other)
            else:
                yield from self.schema(place, one[kind]["schema"], other[kind]["schema"])

    def schema(self, place: str, left: Schema, right: Schema) -> Iterator[str]:
        """Differences of two schemas. What has a name in the first document is told once."""
        right = right.get("contentSchema", right)  # of JSON in a text: what it holds
        if "$ref" in left:
            place = f"{place.split()[0]} {left['$ref'].rsplit('/', 1)[1]}"
            pair = json.dumps([place, right], sort_keys=True)
            if pair in self.seen:
                return
            self.seen.add(pair)
        one, other = Flat(self.theirs, left), Flat(self.ours, right)
        if one.alternatives != other.alternatives:  # where one has several, the other has one
            one, other = one.as_alternatives(), other.as_alternatives()
        for fact in sorted(set(one.facts) | set(other.facts)):
            if one.facts.get(fact) != other.facts.get(fact):
                yield line(place, fact, one.facts.get(fact), other.facts.get(fact))
        for key in sorted(set(one.parts) | set(other.parts)):
            if key not in one.parts or key not in other.parts:
                yield line(place + key, "exists", key in one.parts, key in other.parts)
            else:
                yield from self.schema(place + key, one.parts[key], other.parts[key])


class Flat:
    """A schema without references and alternatives with null: its facts and its parts."""

    def __init__(self, root: Schema, schema: Schema):
        self.root = root
        self.whole = schema
        self.alternatives = False
        self.facts: dict[str, Any] = {}
        self.parts: dict[str, Schema] = {}
        self.read(schema)

    def read(self, schema: Schema) -> None:
        """Note what a schema says."""
        if "$ref" in schema:
            self.read(resolve(self.root, schema["$ref"]))
        kinds = [kind for key in ("oneOf", "anyOf") for kind in schema.get(key, ())]
        real = [kind for kind in kinds if kind != {"type": "null"}]
        if len(real) < len(kinds):
            self.facts["null"] = True
        flat = [Flat(self.root, kind) for kind in real]
        alike = all(one.facts == flat[0].facts and not one.parts for one in flat)
        if real and (alike or len(real) == 1):
            self.read(real[0])
        elif real and "properties" not in schema:  # else they narrow what stands beside them
            self.alternatives = True
            for one in flat:
                self.parts |= one.parts if one.alternatives else {one.tag: one.whole}
        self.plain(schema)

    def plain(self, schema: Schema) -> None:
        """Note what stands in the schema itself."""
        for name in PLAIN:
            if name in schema and not (self.alternatives and name == "type"):
                value = schema[name]
                self.facts[name] = sorted(value) if name in ("enum", "required") else value
        if "const" in schema:
            self.facts["enum"] = [schema["const"]]
        for name, part in schema.get("properties", {}).items():
            self.parts[f".{name}"] = part
        if "items" in schema:
            self.parts["[]"] = schema["items"]
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            self.parts[".*"] = more
        elif more is not None:
            self.facts["additionalProperties"] = more

    @property
    def tag(self) -> str:
        """What tells it from its alternatives: its ``type``, its ``event``, or its JSON type."""
        for name in (".type", ".event"):
            if name in self.parts:
                return f"<{','.join(Flat(self.root, self.parts[name]).facts.get('enum', '?'))}>"
        return f"<{self.facts.get('type', '?')}>"

    def as_alternatives(self) -> "Flat":
        """Itself, or a schema whose only alternative is this one."""
        if self.alternatives:
            return self
        found = Flat(self.root, {})
        found.alternatives = True
        found.parts = {self.tag: self.whole}
        return found


def operations(document: Schema) -> dict[str, Schema]:
    """Operations by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def parameters(operation: Schema) -> dict[str, Schema]:
    """Parameters by place and name."""
    return {f"{one['in']} {one['name']}": one for one in operation.get("parameters", ())}


def resolve(document: Schema, pointer: str) -> Schema:
    """What a reference leads to."""
    found = document
    for name in pointer.removeprefix("#/").split("/"):
        found = found[name]
    return found


def same(place: str, fact: str, left: Schema, right: Schema) -> Iterator[str]:
    """A line if a key has two values."""
    if left.get(fact) != right.get(fact):
        yield line(place, fact, left.get(fact), right.get(fact))


def line(place: str, fact: str, left: object, right: object) -> str:
    """One difference in words."""
    return f"{place} {fact} {word(left)} -> {word(right)}"


def word(value: object) -> str:
    """A value in a line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "-" if value is None else str(value)
