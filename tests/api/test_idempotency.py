"""Calls that are repeated with the same ``Idempotency-Key``."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import get_resolver

from runs import operations
from runs.models import (
    Assistant,
    EventChunk,
    IdempotencyKey,
    Message,
    Run,
    RunStep,
    Thread,
    ToolCall,
)
from runs.models.database import close_threads
from runsite.urls import API_PREFIXES
from tests.api.client import REPLAYED, Api, error_of, ok, raw
from tests.api.routes import OPERATIONS, POSTS, make_world
from tests.api.test_routes import api_routes
from tests.factories import make_assistant, make_run, make_thread

pytestmark = pytest.mark.slow

KINDS = (Assistant, Thread, Message, Run, RunStep, ToolCall, EventChunk)


def everything():
    """All columns of all that the API can change."""
    return {kind: list(kind.objects.order_by("number").values()) for kind in KINDS}


def age(**by):
    """Make all kept answers older."""
    for row in IdempotencyKey.objects.all():
        row.created_at -= timedelta(**by)
        row.save(update_fields=["created_at"])


def test_the_posts_tested_here_are_all_there_are():
    """Those of the resolver that do not answer POST with 405 are held by the test of routes."""
    routes = {operation.route for operation in OPERATIONS}
    assert {route for route in api_routes(get_resolver().url_patterns) if route in routes} == routes
    assert len(POSTS) == 11


def test_every_post_is_carried_out_once(api, subtests):
    for operation in POSTS:
        with subtests.test(str(operation)):
            world = make_world(api.project, operation.run_status)
            path, body = operation.path(world), operation.filled(world)
            first = api.post(path, body, Idempotency_Key="once")
            after_first = everything()
            for _ in range(2):
                again = api.post(path, body, Idempotency_Key="once")
                assert ok(again) == ok(first)
                assert again[REPLAYED] == "true"
                assert again.get("x-runsite-warning") == first.get("x-runsite-warning")
            assert REPLAYED not in first
            assert everything() == after_first


def test_another_body_is_refused(api, subtests):
    """Bodies are compared by their bytes: a client that repeats a call sends the same ones."""
    for operation in POSTS:
        with subtests.test(str(operation)):
            world = make_world(api.project, operation.run_status)
            path, body = operation.path(world), raw(operation.filled(world))
            ok(api.post(path, body, Idempotency_Key="used"))
            after_first = everything()
            for other in (body + b" ", b'{"metadata": {"a": "b"}}'):
                answer = api.post(path, other, Idempotency_Key="used")
                assert error_of(answer, 400) == {
                    "message": "This Idempotency-Key was used with another request body before. "
                    "Use a new key for a new request.",
                    "type": "invalid_request_error",
                    "param": "Idempotency-Key",
                    "code": "idempotency_key_reuse",
                }
                assert "x-should-retry" not in answer
            assert everything() == after_first


def test_the_prefix_makes_no_difference(api):
    answers = [api.post(f"/{prefix}threads", {}, Idempotency_Key="a") for prefix in API_PREFIXES]
    assert len({ok(answer)["id"] for answer in answers}) == 1
    assert [REPLAYED in answer for answer in answers] == [False, True, True, True]


def test_the_same_key_for_another_path_is_another_call(api):
    paths = [f"/v1/threads/{make_thread(api.project).id}/messages" for _ in range(2)]
    body = {"role": "user", "content": "Hello"}
    sent = [api.post(path, body, Idempotency_Key="a") for path in (*paths, *paths)]
    ids = [ok(answer)["id"] for answer in sent]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_keys_belong_to_the_project(api, stranger):
    """Another project's same key is another one; another API key of the project is not."""
    first = ok(api.post("/v1/threads", {}, Idempotency_Key="a"))
    other = stranger.post("/v1/threads", {"metadata": {"a": "b"}}, Idempotency_Key="a")
    assert ok(other)["id"] != first["id"]
    assert REPLAYED not in other
    second_program = Api(api.project)
    assert ok(second_program.post("/v1/threads", {}, Idempotency_Key="a")) == first


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "a\x7f", "\x00", "☃"], ids=ascii)
def test_a_header_that_is_no_key(api, key):
    error = error_of(api.post("/v1/threads", {}, Idempotency_Key=key), 400)
    assert error == {
        "message": "Invalid 'Idempotency-Key': expected 1 to 255 printable ASCII characters.",
        "type": "invalid_request_error",
        "param": "Idempotency-Key",
        "code": "invalid_value",
    }
    assert not Thread.objects.exists()


@pytest.mark.parametrize("key", ["x" * 255, "~", "a b/c?d=%00&'\"\\"], ids=ascii)
def test_a_header_that_is_a_key(api, key):
    first, again = (api.post("/v1/threads", {}, Idempotency_Key=key) for _ in range(2))
    assert ok(first) == ok(again)
    assert IdempotencyKey.objects.get().key == key


def test_the_api_key_is_asked_for_first(api):
    error_of(api.post("/v1/threads", {}, Idempotency_Key="", Authorization=""), 401)
    ok(api.post("/v1/threads", {}, Idempotency_Key="a"))
    error_of(api.post("/v1/threads", {}, Idempotency_Key="a", Authorization=""), 401)


def test_other_methods_ignore_it(api):
    thread = make_thread(api.project)
    path = f"/v1/threads/{thread.id}"
    ok(api.call("GET", path, Idempotency_Key=""))
    ok(api.call("GET", path, Idempotency_Key="a"))
    ok(api.call("DELETE", path, Idempotency_Key="a"))
    error_of(api.call("DELETE", path, Idempotency_Key="a"), 404)
    assert not IdempotencyKey.objects.exists()


def test_ids_that_none_can_have(api, subtests):
    """They reach neither the database nor a row."""
    for bad in ("%00", "é", "%ED%A0%80", "x" * 300, "'"):
        with subtests.test(bad):
            path = f"/v1/threads/thread_{bad}/messages"
            body = {"role": "user", "content": "Hello"}
            error_of(api.post(path, body, Idempotency_Key="a"), 404)
    assert not IdempotencyKey.objects.exists()


def test_a_bad_body_is_told_before_the_key_is_looked_up(api):
    ok(api.post("/v1/threads", {}, Idempotency_Key="a"))
    assert error_of(api.post("/v1/threads", b"{", Idempotency_Key="a"), 400)["code"] is None


def test_errors_are_not_kept(api):
    """A call that did nothing is tried anew, with whatever body."""
    thread = make_thread(api.project)
    path = f"/v1/threads/{thread.id}/runs"
    body = {"assistant_id": make_assistant(api.project).id}
    busy = make_run(thread)
    for wrong in ({}, body | {"colour": "red"}, {"assistant_id": f"asst_{'A' * 24}"}, body):
        assert api.post(path, wrong, Idempotency_Key="a").status_code in (400, 404)
    assert not IdempotencyKey.objects.exists()
    operations.cancel_run(busy)
    first = api.post(path, body, Idempotency_Key="a")
    assert ok(api.post(path, body, Idempotency_Key="a")) == ok(first)


def test_the_answer_is_that_of_the_first_call(api):
    """Whatever became of the object since; a retrieve tells that."""
    assistant = make_assistant(api.project)
    path = f"/v1/assistants/{assistant.id}"
    first = ok(api.post(path, {"name": "One"}, Idempotency_Key="a"))
    ok(api.post(path, {"name": "Two"}))
    assert ok(api.post(path, {"name": "One"}, Idempotency_Key="a")) == first
    assert ok(api.get(path))["name"] == "Two"
    ok(api.delete(path))
    assert ok(api.post(path, {"name": "One"}, Idempotency_Key="a")) == first


def test_warnings_are_repeated(api):
    """Those of the first answer: a header is part of it."""
    thread = make_thread(api.project)
    assistant = make_assistant(api.project, tools=[{"type": "file_search"}])
    path, body = f"/v1/threads/{thread.id}/runs", {"assistant_id": assistant.id}
    first, again = (api.post(path, body, Idempotency_Key="a") for _ in range(2))
    assert "file_search" in first["x-runsite-warning"]
    assert again["x-runsite-warning"] == first["x-runsite-warning"]


def test_a_kept_answer_goes_with_its_thread(api):
    """What is left is a call on a thread that does not exist."""
    thread = ok(api.post("/v1/threads", {}, Idempotency_Key="a"))
    path = f"/v1/threads/{thread['id']}"
    body = {"role": "user", "content": "Secret"}
    ok(api.post(f"{path}/messages", body, Idempotency_Key="a"))
    ok(api.delete(path))
    assert not IdempotencyKey.objects.exists()
    error_of(api.post(f"{path}/messages", body, Idempotency_Key="a"), 404)
    assert ok(api.post("/v1/threads", {}, Idempotency_Key="a"))["id"] != thread["id"]


def test_a_day_later_it_is_a_new_call(api):
    first = ok(api.post("/v1/threads", {}, Idempotency_Key="a"))
    age(hours=23, minutes=59)
    assert ok(api.post("/v1/threads", {}, Idempotency_Key="a")) == first
    age(minutes=1)
    body = {"metadata": {"day": "two"}}  # even with another body
    later = ok(api.post("/v1/threads", body, Idempotency_Key="a"))
    assert later["id"] != first["id"]
    assert ok(api.post("/v1/threads", body, Idempotency_Key="a")) == later
    assert IdempotencyKey.objects.count() == 1


def test_the_key_reaches_no_log(api, caplog):
    caplog.set_level(logging.DEBUG)
    key = "a-key-of-somebody"
    for body in ({}, {}, {"metadata": {}}, b"{", {"colour": "red"}):
        api.post("/v1/threads", body, Idempotency_Key=key)
    api.post("/v1/threads", {}, Idempotency_Key=key + "é")
    told = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "threads" in told
    assert key not in told


# --- a database that is busy ---


@pytest.mark.sqlite  # which has one writer
def test_whoever_waits_too_long_for_the_one_writer_is_told_to_come_back(api, settings):
    """On SQLite a twin under way is one writer among others: 503, as for any call."""
    thread = make_thread(api.project)
    ok(api.get(f"/v1/threads/{thread.id}"))  # the key's last use is written
    other = connection.copy()
    connection.close()
    try:
        settings.DATABASES["default"]["OPTIONS"]["timeout"] = 0.05
        with other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            answer = api.post("/v1/threads", {}, Idempotency_Key="a")
            cursor.execute("ROLLBACK")
        assert error_of(answer, 503)["code"] == "server_busy"
        assert answer["retry-after"] == "1"
        assert "x-should-retry" not in answer
        assert REPLAYED not in api.post("/v1/threads", {}, Idempotency_Key="a")
    finally:
        settings.DATABASES["default"]["OPTIONS"]["timeout"] = 5
        connection.close()
        other.close()
        close_threads()
    assert Thread.objects.count() == 2
