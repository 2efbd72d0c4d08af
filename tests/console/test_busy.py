"""What a form says when the database cannot take it, or what it is about has gone."""

import sqlite3
from contextlib import closing

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from runs.contract.status import RunStatus
from runs.models import Run
from tests.console.pages import says
from tests.factories import make_project, make_run, make_thread


@pytest.fixture
def impatient(transactional_db):
    """This thread's connection gives up on a locked file after 10 ms instead of 5 s."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 10")
    yield
    connection.close()


@pytest.mark.sqlite  # a locked file
def test_a_form_that_the_database_cannot_take_can_be_sent_again(impatient, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = False
    run = make_run(make_thread(make_project()), RunStatus.QUEUED)
    operator = Client(headers={"accept": "text/html"})
    operator.force_login(User.objects.create_superuser("admin"))
    cancel = f"/console/threads/{run.thread_id}/runs/{run.id}/cancel/"
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = operator.post(cancel)
        assert answer.status_code == 503
        assert "Nothing was changed; try again in a moment." in says(answer)
    assert Run.objects.get().status == "queued"
    assert operator.post(cancel).status_code == 302
    assert Run.objects.get().status == "cancelled"
