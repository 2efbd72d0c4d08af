"""Repeated calls on PostgreSQL, where two transactions really go on at once."""

import hashlib
import random
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import operations
from runs.contract.errors import KeyInUse, NotFound
from runs.models import IdempotencyKey, Message, Thread
from runs.operations import Answer, Call, idempotency, once
from runs.wire.objects import message_object, thread_object
from tests.api.client import Api, error_of, ok
from tests.factories import make_message, make_project, make_thread
from tests.services.test_postgres import at_once

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

EMPTY = hashlib.sha256(b"{}").hexdigest()


@pytest.fixture
def project(transactional_db):
    """Whose keys they are."""
    return make_project()


def call_of(project, key="a", thread=None):
    """A POST of an empty object to /threads, or to a thread."""
    route = f"/threads/{thread.id}" if thread else "/threads"
    return Call(project, key, route, EMPTY, thread.id if thread else None)


def creating(project):
    """Work that creates a thread."""
    return lambda: Answer(thread_object(operations.create_thread(project, {})))


@contextmanager
def under_way(project, key="a"):
    """A call that does not come to its end before the block's."""
    begun, go_on = threading.Event(), threading.Event()
    answers = []

    def work():
        answer = creating(project)()
        begun.set()
        assert go_on.wait(60)
        return answer

    def doing():
        try:
            answers.append(once(call_of(project, key), work))
        finally:
            connection.close()

    thread = threading.Thread(target=doing)
    thread.start()
    try:
        assert begun.wait(60)
        yield answers
    finally:
        go_on.set()
        thread.join()


def test_a_call_that_is_still_under_way_is_a_conflict(project, monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
    api = Api(project)
    with under_way(project) as answers:
        answer = api.post("/v1/threads", b"{}", Idempotency_Key="a")
        assert error_of(answer, 409) == {
            "message": "The request with this Idempotency-Key is still being carried out. Try "
            "again in a moment.",
            "type": "invalid_request_error",
            "param": "Idempotency-Key",
            "code": "idempotency_key_in_use",
        }
        assert answer["retry-after-ms"] == "500"
        assert "x-should-retry" not in answer
        assert ok(api.post("/v1/threads", b"{}", Idempotency_Key="b"))  # others go on
        assert ok(Api(make_project()).post("/v1/threads", b"{}", Idempotency_Key="a"))
    again = api.post("/v1/threads", b"{}", Idempotency_Key="a")
    assert ok(again) == answers[0].wire
    assert again["Idempotent-Replayed"] == "true"


def test_a_twin_waits_for_the_end(project):
    twins = []
    with under_way(project) as answers:
        thread = threading.Thread(
            target=lambda: (
                twins.append(once(call_of(project), creating(project))),
                connection.close(),
            )
        )
        thread.start()
        while not waits_for_a_lock():
            assert thread.is_alive()
            time.sleep(0.01)
    thread.join()
    assert twins[0].repeated
    assert twins[0].wire == answers[0].wire
    assert Thread.objects.count() == 1


def waits_for_a_lock():
    """Whether somebody waits for a key that is in use."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0]


def test_only_the_key_is_waited_for_so_shortly(project):
    def work():
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)
        return creating(project)()

    once(call_of(project), work)


def test_whoever_fails_lets_the_twin_go_on(project):
    def failing():
        raise NotFound("assistant", "asst_1")

    def trying():
        with pytest.raises(NotFound):
            once(call_of(project), failing)

    works = [trying] * 5 + [lambda: once(call_of(project), creating(project))] * 5
    random.shuffle(works)
    caught = []

    def safely(work):
        try:
            work()
        except BaseException as fault:  # trying() that got the answer of a twin
            caught.append(fault)

    assert at_once(*[lambda work=work: safely(work) for work in works]) == []
    assert Thread.objects.count() == 1
    assert not [fault for fault in caught if isinstance(fault, KeyInUse)]


def test_a_thread_is_not_deleted_between_a_call_and_its_note(project):
    """Else the deletion, or the note, would refer to nothing when it commits."""
    for _ in range(25):
        message = make_message(make_thread(project))
        thread = message.thread
        go = threading.Barrier(2)

        def modifying(thread=thread, message=message, go=go):
            def work():
                changed = operations.update_message(message, {"metadata": {"a": "b"}})
                return Answer(message_object(changed))

            go.wait()
            try:
                once(call_of(project, thread=thread), work)
            except NotFound:
                assert not Message.objects.filter(id=message.id).exists()

        def deleting(thread=thread, go=go):
            go.wait()
            time.sleep(random.random() * 0.01)  # noqa: S311  dice, not keys
            operations.delete_thread(thread)

        assert at_once(modifying, deleting) == []
        assert not Thread.objects.filter(id=thread.id).exists()
        assert not IdempotencyKey.objects.exists()


def test_cleaning_up_never_waits(project):
    """Many calls at once, each of which takes expired rows with it, and deletions of the
    threads to which those rows belong."""
    old = timezone.now() - timedelta(hours=25)
    threads = [make_thread(project) for _ in range(10)]
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(
            project=project,
            key=f"{number}",
            route="/threads",
            body_digest="x",
            answer={},
            thread=threads[number % 10],
            created_at=old,
        )
        for number in range(200)
    )
    calls = [
        lambda key=f"{number}": once(call_of(project, key), creating(project))
        for number in range(10)  # of expired keys: their own rows are in the way, too
    ]
    deletions = [lambda thread=thread: operations.delete_thread(thread) for thread in threads[:4]]
    pruning = [operations.forget_expired_keys] * 2
    assert at_once(*calls, *deletions, *pruning) == []
    assert Thread.objects.count() == 10 - 4 + 10
    assert not IdempotencyKey.objects.filter(created_at=old).exists()
