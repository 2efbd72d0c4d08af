"""Puts the document together: the routes of ``runs.api.urls``, described by our tables."""

import functools
import json
import re
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from runs.api.openapi import answers, events, objects
from runs.api.openapi.examples import ANSWERS, BODIES
from runs.api.openapi.links import links_of
from runs.api.openapi.operations import OPERATIONS, Operation
from runs.api.openapi.parameters import IDEMPOTENCY_KEY, IDS
from runs.api.openapi.schemas import Schema, id_schema, ref
from runs.api.openapi.words import ABOUT, TAGS
from runs.inputs.bodies import Body

#: Every part of the document that is written down rather than read from the code.
COMPONENTS: dict[str, dict[str, Schema]] = {
    "schemas": objects.SCHEMAS | events.SCHEMAS | answers.SCHEMAS,
    "responses": answers.RESPONSES,
    "headers": answers.HEADERS,
    "securitySchemes": {
        "ApiKeyAuth": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of a project: made in the console or by `manage.py create_key`.",
        },
        "ApiKeyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": "api-key",
            "description": "The same key as Azure's clients send it.",
        },
    },
}
SERVERS = [
    {"url": "/v1"},
    {"url": "/", "description": "The same without prefix."},
    {"url": "/openai/v1", "description": "The same as Azure's newer clients call it."},
    {"url": "/openai", "description": "The same as Azure's older clients call it."},
]
SECURITY: list[Schema] = [{name: []} for name in COMPONENTS["securitySchemes"]]


class ApiSchema(AutoSchema):
    """Describes one operation (Django REST framework's setting ``DEFAULT_SCHEMA_CLASS``)."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> Schema:
        """The operation object.

        Raises:
            LookupError: the table of operations has no such route.
        """
        self.registry = registry
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method = method
        operation = OPERATIONS.get((method, path))
        if operation is None:
            raise LookupError(f"runs/api/openapi/operations.py does not describe {method} {path}")
        found: Schema = {
            "operationId": operation.id,
            "summary": operation.summary,
            "tags": [operation.tag],
            "parameters": parameters(method, path, operation),
            "responses": responses(method, path, operation),
            "security": SECURITY,
        }
        if operation.description:
            found["description"] = operation.description
        if operation.body:
            found["requestBody"] = self.request_body(operation.body, operation.id)
        return found

    def request_body(self, body: type[Body], operation_id: str) -> Schema:
        """The body with its examples. An absent body counts as ``{}``."""
        return {
            "required": any(field.required for field in body().fields.values()),
            "content": {
                "application/json": {
                    "schema": self.resolve_serializer(body, "request").ref,
                    "examples": BODIES[operation_id],
                }
            },
        }

    def get_serializer_name(self, serializer: Any, direction: str) -> str:
        """As in the published file: bodies of operations end in ``Request``."""
        name = type(serializer).__name__
        whole = {operation.body for operation in OPERATIONS.values()}
        return f"{name}Request" if type(serializer) in whole else name


def parameters(method: str, path: str, operation: Operation) -> list[Schema]:
    """Those of the path, those of the operation, and what every POST takes."""
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": id_schema(IDS[name])}
        for name in re.findall(r"{(\w+)}", path)
    ]
    found += operation.parameters
    if method == "POST":
        found.append(IDEMPOTENCY_KEY)
    return found


def responses(method: str, path: str, operation: Operation) -> Schema:
    """The 200, and the errors that can come of it."""
    names = ["x-request-id", *operation.headers]
    if method == "POST":
        names.append("Idempotent-Replayed")
    good: Schema = {
        "description": "A stream of events." if operation.only_streams else operation.summary,
        "headers": {name: answers.header_ref(name) for name in names},
        "content": content(operation),
    }
    if links := links_of(method, path):
        good["links"] = links
    statuses = ["400", "401"]
    if "{" in path or operation.looks_up or operation.answer.startswith("List"):
        statuses.append("404")
    if method == "POST":
        statuses += ["409", "413"]
    if operation.may_stream or operation.only_streams:
        statuses.append("429")
    statuses += ["500", "503"]
    errors = {
        status: {"$ref": f"#/components/responses/{answers.STATUS[status]}"} for status in statuses
    }
    return {"200": good, **errors}


def content(operation: Operation) -> Schema:
    """What a 200 may hold."""
    found: Schema = {}
    if not operation.only_streams:
        found["application/json"] = {
            "schema": ref(operation.answer),
            "examples": ANSWERS[operation.id],
        }
    if operation.may_stream or operation.only_streams:
        found["text/event-stream"] = {
            "schema": ref("AssistantStreamEvent"),
            "examples": ANSWERS["stream"],
        }
    return found


class Generator(SchemaGenerator):
    """Makes the document (drf-spectacular's setting ``DEFAULT_GENERATOR_CLASS``)."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs["urlconf"] = "runs.api.urls"
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        for type_, components in COMPONENTS.items():
            for name, schema in components.items():
                component = ResolvedComponent(name, type_, schema, name)  # type: ignore[no-untyped-call]
                self.registry.register(component)

    def get_schema(self, *args: Any, **kwargs: Any) -> Schema:
        """The document."""
        made: Schema = super().get_schema(*args, **kwargs)  # type: ignore[no-untyped-call]
        made["info"]["description"] = ABOUT
        return {
            "openapi": made["openapi"],
            "info": made["info"],
            "servers": SERVERS,
            "tags": [{"name": name, "description": words} for name, words in TAGS],
            "paths": made["paths"],
            "components": made["components"],
        }


@functools.cache
def document() -> bytes:
    """The document as JSON. Made once in a process: nothing in it changes."""
    made = Generator().get_schema(request=None, public=True)
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
