"""What is done once: with its note or not at all, and cleaned up after a day."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from runs import operations
from runs.contract.errors import KeyReuse, NotFound
from runs.contract.status import RunStatus
from runs.models import IdempotencyKey, Run, Thread
from runs.operations import Answer, Call, idempotency, once
from runs.wire.objects import run_object, thread_object
from tests.factories import make_project, make_run, make_thread

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(transactional_db):
    """Whose keys they are."""
    return make_project()


def call_of(project, key="a", body=b"{}", thread=None):
    """A POST to an imagined route."""
    digest = hashlib.sha256(body).hexdigest()
    return Call(project, key, "/threads", digest, thread.id if thread else None)


def creating(project):
    """Work that creates a thread."""
    return lambda: Answer(thread_object(operations.create_thread(project, {})))


def keep(project, count, **age):
    """Answers that are kept, so old."""
    at = timezone.now() - timedelta(**age)
    keys = [f"{at}-{number}" for number in range(count)]
    columns = {"project": project, "route": "/threads", "answer": {}, "created_at": at}
    rows = [IdempotencyKey(key=key, body_digest="x", **columns) for key in keys]
    return IdempotencyKey.objects.bulk_create(rows)


def test_nothing_is_done_whose_answer_cannot_be_kept(project):
    """As if the process had died between the work and the note."""
    committed = []

    def work():
        transaction.on_commit(lambda: committed.append(1))
        return Answer({**creating(project)().wire, "metadata": object()})

    with pytest.raises(TypeError):
        once(call_of(project), work)
    assert not Thread.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not committed


def test_what_waits_for_the_commit_waits_for_the_note(project):
    seen = []

    def work():
        answer = creating(project)()
        transaction.on_commit(lambda: seen.append(IdempotencyKey.objects.count()))
        return answer

    once(call_of(project), work)
    assert seen == [1]


def test_an_error_leaves_no_note(project):
    def work():
        creating(project)()
        raise NotFound("assistant", "asst_1")

    with pytest.raises(NotFound):
        once(call_of(project), work)
    assert not Thread.objects.exists()
    assert not once(call_of(project, body=b"other"), creating(project)).repeated


def test_an_operation_decides_again_inside_the_transaction(project):
    """The run has moved since it was read: here as where it has a transaction of its own."""
    run = make_run(make_thread(project))
    Run.objects.filter(id=run.id).update(status=RunStatus.IN_PROGRESS, epoch=1, lease_owner="x")
    stale = run
    assert stale.status == RunStatus.QUEUED

    def work():
        return Answer(run_object(operations.cancel_run(stale)), run=stale)

    answer = once(call_of(project, thread=run.thread), work)
    assert answer.wire["status"] == "cancelling"
    again = once(call_of(project, thread=run.thread), work)
    assert (again.wire, again.run, again.repeated) == (answer.wire, run, True)


def test_two_at_once_are_one(project, race):
    """Whoever comes second waits for the first one's end."""
    done = race(*[lambda: once(call_of(project), creating(project)) for _ in range(8)])
    assert not done.faults
    assert len({answer.wire["id"] for answer in done.results}) == 1
    assert sorted(answer.repeated for answer in done.results) == [False] + [True] * 7
    assert Thread.objects.count() == 1


def test_two_bodies_at_once(project, race):
    works = [
        lambda body=body: once(call_of(project, body=body), creating(project))
        for body in (b"1", b"2")
    ]
    done = race(*works)
    assert [type(fault) for fault in done.faults] == [KeyReuse]
    assert Thread.objects.count() == 1


def test_a_new_note_takes_some_expired_ones_with_it(project):
    """Of whatever project: one that makes no calls any more keeps nothing for ever."""
    keep(make_project(), 30, hours=25)
    keep(project, 3, hours=23)
    once(call_of(project), creating(project))
    assert IdempotencyKey.objects.count() == 30 - idempotency.EXPIRED_PER_CALL + 3 + 1
    once(call_of(project, "b"), creating(project))
    assert IdempotencyKey.objects.count() == 3 + 2


def test_the_oldest_go_first(project):
    old = keep(project, 15, hours=30)
    keep(project, 15, hours=40)
    assert idempotency.forget(15) == 15
    assert set(IdempotencyKey.objects.all()) == set(old)


def test_prune_forgets_all_that_has_expired(project, monkeypatch):
    monkeypatch.setattr(idempotency, "EXPIRED_PER_BATCH", 4)
    keep(project, 10, hours=25)
    keep(project, 2, hours=1)
    assert operations.forget_expired_keys() == 10
    assert operations.forget_expired_keys() == 0
    assert IdempotencyKey.objects.count() == 2


def test_an_expired_note_does_not_stand_in_the_way(project, race):
    keep(project, 100, hours=30)  # go first
    (old,) = keep(project, 1, hours=25)
    done = race(*[lambda: once(call_of(project, old.key), creating(project)) for _ in range(6)])
    assert not done.faults
    assert len({answer.wire["id"] for answer in done.results}) == 1
    assert Thread.objects.count() == 1


def test_a_repeated_call_writes_nothing(project, django_assert_max_num_queries):
    """It asks for the key, and for the row."""
    once(call_of(project), creating(project))
    locks = 1 if connection.vendor == "postgresql" else 0
    with django_assert_max_num_queries(3 + locks) as asked:
        once(call_of(project), creating(project))
    changing = ("INSERT", "UPDATE", "DELETE")
    assert not [query for query in asked if query["sql"].startswith(changing)]
