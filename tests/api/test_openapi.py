"""The OpenAPI document: valid, complete, and true to the code."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from runs.api.openapi.answers import CODES, RESPONSES, STATUS
from runs.api.openapi.operations import OPERATIONS as TABLE
from runs.contract import errors, limits
from runs.contract.errors import ApiError
from runs.contract.status import RunStatus
from runs.inputs.bodies import validate
from runsite.urls import API_PREFIXES
from tests.api.client import Api, error_of
from tests.api.openapi import check_answer, document, problems, resolved
from tests.api.routes import OPERATIONS, Operation, make_world, unknown_world
from tests.api.test_document import raised_codes
from tests.factories import make_run

pytestmark = pytest.mark.slow


Schema = dict[str, Any]


def described() -> Iterator[tuple[str, str, Schema]]:
    """Method, path and description of every operation."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def path_of(operation: Operation) -> str:
    """A route as the document writes it."""
    return "/" + re.sub(r"<str:(\w+)>", r"{\1}", operation.route)


# --- the document by itself ---


def test_it_is_openapi():
    assert document()["openapi"].startswith("3.1")
    validate_schema(document())
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_every_part_is_used():
    text = json.dumps(document())
    used = set(re.findall(r'"\$ref": "#/components/([^"]+)"', text))
    parts = {
        f"{kind}/{name}"
        for kind, found in document()["components"].items()
        for name in found
        if kind != "securitySchemes"
    }
    assert used == parts


def test_operation_ids_are_unique():
    ids = Counter(operation["operationId"] for _, _, operation in described())
    assert [name for name, count in ids.items() if count > 1] == []


def test_links_lead_to_operations_and_give_what_their_paths_need():
    targets = {operation["operationId"]: path for _, path, operation in described()}
    linked = set()
    for _, _, operation in described():
        for link in operation["responses"]["200"].get("links", {}).values():
            path = targets[link["operationId"]]
            linked.add(link["operationId"])
            assert set(link.get("parameters", {})) == set(re.findall(r"{(\w+)}", path))
    assert {"getRun", "submitToolOuputsToRun", "getRunStep", "createMessage"} <= linked
    assert {name for name, path in targets.items() if "{" in path} <= linked


# --- the document and the code ---


def test_every_route_is_described_and_no_other():
    found = {(method, path) for method, path, _ in described()}
    assert found == {(operation.method, path_of(operation)) for operation in OPERATIONS}
    assert found == set(TABLE)


def test_the_servers_are_the_prefixes():
    served = {f"/{prefix}".rstrip("/") or "/" for prefix in API_PREFIXES}
    assert {server["url"] for server in document()["servers"]} == served


def test_every_error_is_described():
    assert set(CODES) == raised_codes()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    statuses = {str(kind.status) for kind in kinds if issubclass(kind, ApiError)}
    # A method that a path does not have is no operation: 405 has no place in the document.
    assert statuses - {"405"} == set(STATUS)
    assert set(STATUS.values()) == set(RESPONSES)


def test_the_answers_of_all_operations(api, subtests):
    for operation in OPERATIONS:
        with subtests.test(str(operation)):
            world = make_world(api.project, operation.run_status)
            answer = api.call(operation.method, operation.path(world), operation.filled(world))
            assert answer.status_code == 200
            check_answer(operation.method, path_of(operation), answer)


def test_the_errors_of_all_operations(api, subtests):
    for operation in OPERATIONS:
        with subtests.test(str(operation)):
            path = path_of(operation)
            world = make_world(api.project, operation.run_status)
            url, body = operation.path(world), operation.filled(world)
            answers = [api.call(operation.method, url, body, Authorization="")]
            if operation.method == "POST":
                answers.append(api.post(url, b"{"))
                answers.append(api.post(url, b" " * (limits.BODY_BYTES + 1)))
                answers.append(api.post(url, body, Idempotency_Key="é"))
            if "{" in path:
                lost = operation.path(unknown_world())
                answers.append(api.call(operation.method, lost, body))
            if operation.method == "GET" and "limit" in str(parameters_of(operation)):
                answers.append(api.get(f"{url}?limit=0"))
                answers.append(api.get(f"{url}?after=none"))
            for answer in answers:
                error_of(answer, answer.status_code)
                check_answer(operation.method, path, answer)


def parameters_of(operation: Operation) -> list[str]:
    """The names of an operation's query parameters."""
    found = document()["paths"][path_of(operation)][operation.method.lower()]
    return [one["name"] for one in found["parameters"] if one["in"] == "query"]


def test_a_poll_and_a_warning(api):
    run = make_run(None, RunStatus.REQUIRES_ACTION, tools=[{"type": "file_search"}])
    api = Api(run.project)
    answer = api.get(f"/v1/threads/{run.thread_id}/runs/{run.id}")
    assert answer.headers.keys() >= {"openai-poll-after-ms", "x-runsite-warning"}
    check_answer("GET", "/threads/{thread_id}/runs/{run_id}", answer)


def test_a_replayed_answer(api):
    for _ in range(2):
        answer = api.post("/v1/threads", {}, Idempotency_Key="same")
        check_answer("POST", "/threads", answer)
    assert answer["Idempotent-Replayed"] == "true"


# --- examples ---


def examples() -> Iterator[Any]:
    """Every example of a body, as parameters: where it stands, its schema, the example."""
    for method, path, operation in described():
        places = [("sent", operation.get("requestBody"))]
        places += [(status, resolved(one)) for status, one in operation["responses"].items()]
        for place, part in places:
            if part is None:
                continue
            for kind, media in part["content"].items():
                found = media.get("examples") or {"example": {"value": media["example"]}}
                for name, example in found.items():
                    where = f"{method} {path} {place} {kind} {name}"
                    yield pytest.param(media["schema"], example["value"], id=where)


def test_examples_are_valid(subtests):
    count = 0
    for parameter in examples():
        with subtests.test(parameter.id):
            assert problems(*parameter.values) == []
            count += 1
    assert count > len(TABLE)


def test_examples_are_accepted(subtests):
    for (method, path), operation in TABLE.items():
        if operation.body:
            content = document()["paths"][path][method.lower()]["requestBody"]["content"]
            for name, example in content["application/json"]["examples"].items():
                with subtests.test(f"{operation.id} {name}"):
                    assert validate(operation.body, example["value"])


# --- how it is served ---


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/openapi.json", "/v1/docs", "/docs"])
def test_it_is_public_and_kept(path):
    answer = Client().get(path)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-cache"
    assert answer["x-request-id"]
    assert not answer.cookies
    again = Client().get(path, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == answer["ETag"]
    assert again["Content-Security-Policy"] == answer["Content-Security-Policy"]
    head = Client().head(path)
    assert (head.status_code, head.content) == (200, b"")
    error = error_of(Client().post(path, b"{}", content_type="application/json"), 405)
    assert error["code"] == "method_not_supported"


@pytest.mark.parametrize("path", ["/v1/docs", "/docs"])
def test_the_page_keeps_a_strict_policy(path):
    answer = Client().get(path)
    assert answer["content-type"] == "text/html; charset=utf-8"
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/openapi.json"])
def test_both_addresses_have_the_same(path):
    answer = Client().get(path)
    assert answer["content-type"] == "application/json"
    assert answer.json() == document()
