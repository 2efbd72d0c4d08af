"""The product's own OpenAPI document, as its readers get it, and what holds by it."""

import functools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.http import HttpResponse
from django.test import Client
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

Schema = dict[str, Any]


def check_content(validator: Any, schema: Schema, text: object, _: Schema) -> Iterator[Any]:
    """What is wrong with the JSON in a text: to look into it is each validator's own choice."""
    if isinstance(text, str):
        try:
            yield from validator.descend(json.loads(text), schema)
        except ValueError:
            yield ValidationError(f"{text[:300]!r} is not JSON")


Validator: Any = extend(Draft202012Validator, {"contentSchema": check_content})


@functools.cache
def document() -> Schema:
    """The document."""
    with ThreadPoolExecutor(1) as pool:  # async tests may ask as well
        answer = pool.submit(Client().get, "/v1/openapi.json").result()
    assert answer.status_code == 200
    found: Schema = answer.json()
    return found


def problems(schema: Schema, value: object) -> list[str]:
    """Why ``value`` is not valid by ``schema``, which may refer to the document's parts."""
    root = schema | {"components": document()["components"]}
    return [
        f"{error.json_path}: {error.message[:300]}" for error in Validator(root).iter_errors(value)
    ]


def check(name: str, wire: object) -> None:
    """Fail with the reason if ``wire`` is not valid by the component ``name``."""
    found = problems({"$ref": f"#/components/schemas/{name}"}, wire)
    assert not found, f"{name}: {found}\n{json.dumps(wire)[:2000]}"


def check_answer(method: str, path: str, answer: HttpResponse) -> None:
    """Fail if an operation's answer is not one that the document describes."""
    described = document()["paths"][path][method.lower()]["responses"]
    assert str(answer.status_code) in described, f"{method} {path}: {answer.status_code}"
    response = resolved(described[str(answer.status_code)])
    for name, header in response["headers"].items():
        header = resolved(header)
        if name in answer.headers:
            assert problems(header["schema"], value_of(header, answer[name])) == []
        else:
            assert not header.get("required"), name
    kind = answer["content-type"].split(";")[0]
    assert kind in response["content"], f"{method} {path}: {kind}"
    if kind == "application/json":
        found = problems(response["content"][kind]["schema"], answer.json())
        assert not found, f"{method} {path}: {found}\n{answer.content[:2000]!r}"


def value_of(header: Schema, text: str) -> str | int:
    """A header's value as the type that the document gives it."""
    return int(text) if header["schema"]["type"] == "integer" else text


def resolved(part: Schema) -> Schema:
    """What a reference leads to; anything else as it is."""
    if "$ref" not in part:
        return part
    found = document()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found
