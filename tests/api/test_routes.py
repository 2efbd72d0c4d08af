"""What holds for every route: its methods, its key, its ids, its body, its headers."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from runsite.urls import API_PREFIXES
from tests.api.client import JSON, Api, error_of
from tests.api.routes import OPERATIONS, POSTS, make_world, unknown_world

pytestmark = pytest.mark.slow

ROUTES = sorted({operation.route for operation in OPERATIONS})


def api_routes(patterns: list[Any], inside: bool = False, before: str = "") -> Iterator[str]:
    """The routes that lead into ``runs.api.urls``, found by walking the resolver."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            ours = getattr(pattern.urlconf_name, "__name__", "") == "runs.api.urls"
            yield from api_routes(pattern.url_patterns, inside or ours, route)
        elif inside and isinstance(pattern, URLPattern):
            yield route


@pytest.fixture
def world(api: Api) -> dict[str, str]:
    """Objects of the caller's project."""
    return make_world(api.project)


def test_the_table_of_routes_is_the_resolvers():
    walked = sorted(api_routes(get_resolver().url_patterns))
    assert walked == sorted(prefix + route for prefix in API_PREFIXES for route in ROUTES)


@pytest.mark.parametrize("prefix", API_PREFIXES)
def test_the_same_under_each_prefix(api, prefix, subtests):
    for operation in OPERATIONS:
        with subtests.test(str(operation)):
            world = make_world(api.project, operation.run_status)
            path = f"/{prefix}{operation.path(world).removeprefix('/v1/')}"
            assert api.call(operation.method, path, operation.filled(world)).status_code == 200


def shape(answer: HttpResponse) -> tuple[Any, ...]:
    """What two answers of one operation have in common, whatever objects they are about."""
    fields = set() if answer.streaming else set(answer.json())
    return answer.status_code, set(answer.headers), answer["content-type"], fields


def test_unknown_query_parameters_are_ignored(api, subtests):
    for operation in OPERATIONS:
        with subtests.test(str(operation)):
            shapes = []
            for query in ("", "?foo=1&include[]=step_details.tool_calls%5B*%5D&run_idx=2"):
                world = make_world(api.project, operation.run_status)
                path, body = operation.path(world) + query, operation.filled(world)
                shapes.append(shape(api.call(operation.method, path, body)))
            assert shapes[0] == shapes[1]
            assert shapes[0][0] == 200


def test_accept_and_content_type_decide_nothing(api, subtests):
    for operation in POSTS:
        with subtests.test(str(operation)):
            for headers in (
                {"Accept": "text/event-stream"},
                {"Accept": "application/xml;q=1"},
                {"Content_Type": "text/plain"},
                {"Content_Type": "application/x-www-form-urlencoded"},
                {"Content_Type": "multipart/form-data; boundary=x"},
                {"Content_Type": "application/json; charset=utf-7"},
            ):
                world = make_world(api.project, operation.run_status)
                answer = api.post(operation.path(world), operation.filled(world), **headers)
                assert (answer.status_code, answer["content-type"]) == (200, JSON), headers


def test_a_trailing_slash_is_never_a_redirect(api, world, subtests):
    for operation in OPERATIONS:
        with subtests.test(str(operation)):
            answer = api.call(
                operation.method, operation.path(world) + "/", operation.filled(world)
            )
            error_of(answer, 404)


def test_a_session_opens_nothing(admin_client: Client, transactional_db):
    for operation in OPERATIONS:
        path = operation.path(unknown_world())
        answer = admin_client.generic(operation.method, path, b"{}", content_type=JSON)
        error_of(answer, 401)
