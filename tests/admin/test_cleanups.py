"""The pages of cleanups, of leftovers and of storage."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from runs import operations
from runs.contract.cleanup import Verb
from runs.contract.status import RunStatus
from runs.models import Cleanup, IdempotencyKey, Thread
from runs.models.database import now
from tests.console.pages import says
from tests.factories import make_project, make_thread
from tests.filled import make_full_thread

BASE = "/admin/runs/cleanup/"


def planned(*threads, **more):
    return operations.plan_cleanup(Verb.ERASE, chosen=[thread.number for thread in threads], **more)


def page_of(client, cleanup):
    return client.get(f"{BASE}{cleanup.number}/change/")


def post(client, cleanup, verb, **form):
    return client.post(f"{BASE}{cleanup.number}/{verb}/", form, follow=True)


@pytest.mark.django_db(transaction=True)
def test_a_cleanup_begun_on_its_page_is_worked_off():
    """By a thread of this process: the page shows how far it is until it is done."""
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    project = make_project()
    cleanup = planned(make_full_thread(project), make_full_thread(project))
    post(client, cleanup, "begin")
    deadline = time.monotonic() + 20
    while "It is done ." not in (said := says(page_of(client, cleanup))):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    assert "Threads 2 2" in said
    assert not Thread.objects.exists()
    assert 'http-equiv="refresh"' not in page_of(client, cleanup).content.decode()


def test_many_rows_need_their_number_typed(operator, project):
    cleanup = planned(*[make_full_thread(project) for _ in range(11)])
    assert "Type 110, the number of rows, to go on" in says(page_of(operator, cleanup))
    assert "Type 110 to go on" in says(post(operator, cleanup, "begin", typed="11"))
    assert "Type 110 to go on" in says(post(operator, cleanup, "begin"))
    assert Cleanup.objects.get().standing == "planned"


def test_active_runs_are_kept_unless_their_cancel_is_asked_for(operator, project):
    idle = make_full_thread(project)
    busy = make_full_thread(project, RunStatus.REQUIRES_ACTION)
    cleanup = planned(idle, busy)
    said = says(page_of(operator, cleanup))
    assert "1 with an active run will be kept." in said
    assert "Threads 1 0" in said
    said = says(post(operator, cleanup, "cancel-first"))
    assert "Active runs will be cancelled first." in said
    assert "Threads 2 0" in said
    assert "will be kept" in says(post(operator, cleanup, "cancel-first"))


def test_one_that_is_under_way_comes_anew_and_can_be_stopped(operator, project):
    cleanup = planned(make_thread(project))
    operations.begin_cleanup(cleanup)
    operations.batches.claim_cleanup(cleanup)
    page = page_of(operator, cleanup).content.decode()
    assert '<meta http-equiv="refresh" content="2">' in page
    assert 'value="Stop"' in page
    assert "being worked on" in says(post(operator, cleanup, "begin"))
    assert "It is stopping ." in says(post(operator, cleanup, "stop"))
    Cleanup.objects.update(lease_until=None)
    page = page_of(operator, cleanup).content.decode()
    assert 'value="Resume"' in page
    assert 'http-equiv="refresh"' not in page
    assert "not under way" in says(post(operator, cleanup, "stop"))


def test_one_whose_process_died_can_be_resumed(operator, project):
    cleanup = planned(*[make_full_thread(project) for _ in range(11)])
    operations.begin_cleanup(cleanup)
    operations.batches.claim_cleanup(cleanup)
    Cleanup.objects.update(lease_until=now() - timedelta(seconds=1))
    page = page_of(operator, cleanup)
    assert "It is interrupted ." in says(page)
    assert 'value="Resume"' in page.content.decode()
    assert "Type" not in says(page)


def test_the_list_shows_how_far_each_is(operator, project):
    cleanup = planned(make_full_thread(project))
    operations.work_on_cleanup(begun(cleanup))
    said = says(operator.get(BASE))
    assert f"{cleanup.id} erase" in said
    assert "10 of 10 done" in said


def begun(cleanup):
    operations.begin_cleanup(cleanup)
    return cleanup


def test_leftovers_are_counted_and_put_right(operator, project):
    make_full_thread(project)
    IdempotencyKey.objects.update(created_at=now() - timedelta(days=2))
    Session.objects.create(session_key="old", expire_date=now() - timedelta(days=1))
    page = operator.get(f"{BASE}leftovers/")
    assert "Answers kept for more than a day 1" in says(page)
    assert page.content.decode().count('name="kind"') == 2
    assert IdempotencyKey.objects.exists()  # looking puts nothing right
    for kind in ("answers", "sessions"):
        said = says(operator.post(f"{BASE}leftovers/repair/", {"kind": kind}, follow=True))
        assert "1 put right." in said
    assert not IdempotencyKey.objects.exists()
    assert operator.post(f"{BASE}leftovers/repair/", {"kind": "parentless"}).status_code == 404
    assert operator.post(f"{BASE}leftovers/repair/").status_code == 404


def test_quiet_threads_are_planned_to_be_erased(operator, project):
    make_full_thread(project, days=31)
    make_full_thread(project)
    page = operator.post(f"{BASE}leftovers/repair/", {"kind": "quiet"}, follow=True)
    assert "Threads 1 0" in says(page)
    assert Thread.objects.count() == 2


def test_the_lists_of_what_expires_have_its_button(operator, project):
    for address in ("/admin/runs/idempotencykey/", "/admin/sessions/session/"):
        assert "Delete those past their time" in operator.get(address).content.decode()


def test_storage(operator, project):
    thread = make_full_thread(project)
    said = says(operator.get(f"{BASE}storage/"))
    assert thread.id in said
    assert "ours 1 1" in said
    answer = operator.post(f"{BASE}storage/compact/", follow=True)
    wrong = "could not be compacted" if connection.vendor == "sqlite" else "Only SQLite"
    assert wrong in says(answer)  # inside the test's transaction, or not SQLite's
