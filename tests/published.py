"""The published schema, as corrected here, and checks by it.

The schema is wrong in places: where recorded answers of the original service, or the
product's documented decisions, differ, a correction below says so and why. Corrected
objects are closed: a key that the schema does not know is an error.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.api import openapi
from tests.api.sse import Frame

SCHEMA = json.loads((Path(__file__).parent / "data" / "assistants-schema.json").read_text())
Schemas = dict[str, Any]

INTEGER_OR_NULL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
LISTS = ("ListAssistantsResponse", "ListMessagesResponse", "ListRunsResponse")
USAGES = ("RunCompletionUsage", "RunStepCompletionUsage")
CLOSED = ("AssistantObject", "ThreadObject", "MessageObject", "RunObject", "RunStepObject")


@dataclass(frozen=True)
class Correction:
    """One place where the schema is wrong."""

    reason: str
    apply: Callable[[Schemas], object]


def properties(schemas: Schemas, name: str) -> dict[str, Any]:
    """The properties of a schema."""
    found: dict[str, Any] = schemas[name]["properties"]
    return found


def empty_lists(schemas: Schemas) -> None:
    """Either cursor of a list may be null."""
    for name in (*LISTS, "ListRunStepsResponse"):
        for cursor in ("first_id", "last_id"):
            properties(schemas, name)[cursor] = {"type": ["string", "null"]}


def token_caps(schemas: Schemas) -> None:
    """A run's token caps may be as low as 1."""
    for name in ("max_prompt_tokens", "max_completion_tokens"):
        properties(schemas, "RunObject")[name]["anyOf"][0]["minimum"] = 1


def token_details(schemas: Schemas) -> None:
    """Usage may carry its two objects of details, and no key that is not known."""
    for name in USAGES:
        usage = schemas[name]["anyOf"][0]
        for part, key in (
            ("prompt_token_details", "cached_tokens"),
            ("completion_tokens_details", "reasoning_tokens"),
        ):
            usage["properties"][part] = {
                "type": "object",
                "properties": {key: {"type": "integer"}},
                "required": [key],
                "additionalProperties": False,
            }
        usage["additionalProperties"] = False


def newer_fields(schemas: Schemas) -> None:
    """Assistants and runs have ``reasoning_effort``, and runs ``tool_resources`` too."""
    effort = {"anyOf": [{"$ref": "#/components/schemas/ReasoningEffort"}, {"type": "null"}]}
    for name in ("AssistantObject", "RunObject"):
        properties(schemas, name)["reasoning_effort"] = effort
    resources = properties(schemas, "AssistantObject")["tool_resources"]
    properties(schemas, "RunObject")["tool_resources"] = resources


CORRECTIONS = [
    Correction("first_id and last_id of an empty list are null in recorded answers", empty_lists),
    Correction(
        "a run without instructions has null there in recorded answers",
        lambda s: properties(s, "RunObject").update(instructions={"type": ["string", "null"]}),
    ),
    Correction(
        "steps carry expires_at, the run's, in recorded answers",
        lambda s: properties(s, "RunStepObject").update(expires_at=INTEGER_OR_NULL),
    ),
    Correction("token caps below 256 worked in the original service", token_caps),
    Correction(
        "a run has up to 128 tools, as an assistant",
        lambda s: properties(s, "RunObject")["tools"].update(maxItems=128),
    ),
    Correction("reasoning_effort and tool_resources came later than the schema", newer_fields),
    Correction("usage carries two objects of details in recorded answers", token_details),
    Correction(
        "content_filter is seen as a run's incomplete reason",
        lambda s: properties(s, "RunObject")["incomplete_details"]["anyOf"][0]["properties"][
            "reason"
        ]["enum"].append("content_filter"),
    ),
]


def corrected() -> Schemas:
    """The schemas with all corrections, the main objects closed."""
    schemas: Schemas = copy.deepcopy(SCHEMA["components"]["schemas"])
    for correction in CORRECTIONS:
        correction.apply(schemas)
    for name in CLOSED:
        schemas[name]["additionalProperties"] = False
    return schemas


SCHEMAS = corrected()


def check(name: str, wire: object) -> None:
    """Fail with the reason if ``wire`` is not valid by the schema ``name``, the published one
    or that of our own document."""
    check_published(name, wire)
    openapi.check(name, wire)


def check_published(name: str, wire: object) -> None:
    """Fail with the reason if ``wire`` is not valid by the published schema ``name``."""
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    errors = [
        f"{error.json_path}: {error.message[:300]}"
        for error in Draft202012Validator(root).iter_errors(wire)
    ]
    assert not errors, f"{name}: {errors}\n{json.dumps(wire)[:2000]}"


def check_event(frame: Frame) -> None:
    """Fail if an event is none of the published ones."""
    data = frame.data if frame.name == "done" else frame.wire
    for group in SCHEMAS["AssistantStreamEvent"]["oneOf"]:
        schema = SCHEMAS[group["$ref"].rsplit("/", 1)[1]]
        for kind in schema.get("oneOf", [schema]):
            if kind["properties"]["event"]["enum"] == [frame.name]:
                part = kind["properties"]["data"]
                if "$ref" in part:
                    check_published(part["$ref"].rsplit("/", 1)[1], data)
                else:
                    assert data in part["enum"]
                number = {} if frame.number is None else {"id": str(frame.number)}
                whole = {"event": frame.name, "data": frame.data} | number
                openapi.check("AssistantStreamEvent", whole)
                return
    pytest.fail(f"no event of the API: {frame.name}")
