"""Request bodies as JSON schemas, read from the fields that check them.

A field class without a description here is an error, never a guess.
"""

from functools import singledispatch
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from runs.api.openapi.schemas import Schema, closed, id_schema, nullable, ref
from runs.api.openapi.words import WORDS
from runs.contract import limits
from runs.inputs import fields
from runs.inputs.bodies import Body, Tagged
from runs.inputs.serializers import PARTS, Content, PartText, TruncationStrategy

#: drf-spectacular's, which is untyped: what resolves a nested body to a reference.
AutoSchema = Any


class InputBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call] # untyped base
    """Tells drf-spectacular how to describe our bodies."""

    target_class = Body
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Schema:
        """The schema of the object."""
        return body_schema(self.target, auto_schema)


#: Of bodies in which one field depends on another: what their checks say in code.
RULES: dict[type[Body], Schema] = {
    TruncationStrategy: {
        "oneOf": [
            {"properties": {"type": {"const": "auto"}}},
            {
                "properties": {
                    "type": {"const": "last_messages"},
                    "last_messages": {"type": "integer"},
                },
                "required": ["last_messages"],
            },
        ]
    }
}


def body_schema(body: Body, auto: AutoSchema) -> Schema:
    """Fields that need not be given may be null: it counts as not given."""
    properties, optional = {}, []
    for name, field in body.fields.items():
        schema = describe(field, auto)
        if not field.required:
            optional.append(name)
            schema = nullable(schema)
        if words := WORDS.get(name):
            schema = {**schema, "description": words}
        properties[name] = schema
    doc = " ".join((type(body).__doc__ or "").split("\n\n")[0].split())
    return closed(properties, tuple(optional), doc) | RULES.get(type(body), {})


@singledispatch
def describe(field: object, auto: AutoSchema) -> Schema:
    """The schema of what a field takes, null aside."""
    raise TypeError(f"the OpenAPI document does not know {type(field).__name__}")


@describe.register
def _(field: Body, auto: AutoSchema) -> Schema:
    found: Schema = auto.resolve_serializer(field, "request").ref
    return found


@describe.register
def _(field: fields.Text, auto: AutoSchema) -> Schema:
    found: Schema = {"type": "string"}
    if field.min_length:
        found["minLength"] = field.min_length
    if field.max_length is not None:
        found["maxLength"] = field.max_length
    if field.pattern:
        found["pattern"] = field.pattern
    return found


@describe.register
def _(field: fields.Id, auto: AutoSchema) -> Schema:
    return id_schema(field.prefix)


@describe.register
def _(field: PartText, auto: AutoSchema) -> Schema:
    return describe.dispatch(fields.Text)(field, auto) | {"minLength": 1}


@describe.register
def _(field: fields.Choice, auto: AutoSchema) -> Schema:
    return {"type": "string", "enum": list(field.choices)}


@describe.register
def _(field: fields.Flag, auto: AutoSchema) -> Schema:
    return {"type": "boolean"}


@describe.register
def _(field: fields.Whole, auto: AutoSchema) -> Schema:
    return {"type": "integer", "minimum": field.least, "maximum": field.most}


@describe.register
def _(field: fields.Number, auto: AutoSchema) -> Schema:
    return {"type": "number", "minimum": field.least, "maximum": field.most}


@describe.register
def _(field: fields.Items, auto: AutoSchema) -> Schema:
    found: Schema = {"type": "array", "items": describe(field.child, auto)}
    if field.least:
        found["minItems"] = field.least
    if field.most is not None:
        found["maxItems"] = field.most
    return found


@describe.register
def _(field: fields.Free, auto: AutoSchema) -> Schema:
    return {"type": "object", "additionalProperties": True}


@describe.register
def _(field: fields.Metadata, auto: AutoSchema) -> Schema:
    return ref("Metadata")


@describe.register
def _(field: Content, auto: AutoSchema) -> Schema:
    text = {"type": "string", "minLength": 1, "maxLength": limits.MESSAGE_TEXT}
    return {"oneOf": [text, describe(fields.Items(Tagged(PARTS), least=1), auto)]}


@describe.register
def _(field: Tagged, auto: AutoSchema) -> Schema:
    kinds = [tagged(kind, body, auto) for kind, body in field.bodies.items()]
    words = [{"type": "string", "enum": list(field.words)}] if field.words else []
    return {"oneOf": [*words, *kinds]}


def tagged(kind: str, body: type[Body], auto: AutoSchema) -> Schema:
    """A body whose ``type`` is ``kind``. What has no other field stands in place."""
    schema = body_schema(body(), auto)
    schema["properties"]["type"] = {"type": "string", "enum": [kind]}
    if list(schema["properties"]) == ["type"]:
        return {name: part for name, part in schema.items() if name != "description"}
    component = ResolvedComponent(body.__name__, "schemas", schema, body)  # type: ignore[no-untyped-call]
    auto.registry.register_on_missing(component)
    found: Schema = component.ref
    return found


METADATA: Schema = {
    "type": "object",
    "description": "Up to 16 pairs of your own.",
    "maxProperties": limits.METADATA_PAIRS,
    "propertyNames": {"maxLength": limits.METADATA_KEY},
    "additionalProperties": {"type": "string", "maxLength": limits.METADATA_VALUE},
}


def field_schema(field: serializers.Field[Any, Any, Any, Any]) -> Schema:
    """The schema of a field that holds no body: of a query parameter."""
    return describe(field, None)
