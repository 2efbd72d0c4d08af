"""The management commands for keys and links."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from runs.models import ApiKey, LoginLink, Project
from runs.models.database import now
from runs.operations import access

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()


def test_create_key_prints_the_key_alone():
    out, err = run("create_key")
    assert out.startswith("rsk_live_")
    key = access.find_key(out)
    assert key is not None
    assert key.project == access.default_project()
    assert "shown only now" in err
    assert out not in err


def test_create_key_makes_a_project_once():
    first, said = run("create_key", "--project", "second", "--name", "laptop")
    again, silent = run("create_key", "--project", "second")
    assert "Made the project 'second'." in said
    assert "Made" not in silent
    assert first != again
    assert Project.objects.filter(name="second").count() == 1
    assert ApiKey.objects.filter(project__name="second", name="laptop").count() == 1


def test_create_key_refuses_a_name_that_is_none():
    with pytest.raises(CommandError, match="1 to 100 characters"):
        run("create_key", "--project", " ")


def test_login_link_prints_a_link_that_works_once():
    out, _ = run("login_link")
    address, token = out.split("#")
    assert address == "http://127.0.0.1:8000/console/enter/"
    assert access.use_login_link(token).is_superuser


def test_login_link_for_a_user():
    user = User.objects.create_user("ana")
    out, _ = run("login_link", "--user", "ana")
    assert access.use_login_link(out.strip().rpartition("#")[2]) == user
    with pytest.raises(CommandError, match="No user is called “bob”"):
        run("login_link", "--user", "bob")


def test_prune_deletes_only_what_has_expired():
    access.make_login_link()
    access.make_login_link()
    old = LoginLink.objects.first()
    LoginLink.objects.filter(number=old.number).update(expires_at=now() - timedelta(seconds=1))
    Session.objects.create(session_key="old", expire_date=now() - timedelta(days=1))
    Session.objects.create(session_key="new", expire_date=now() + timedelta(days=1))
    assert run("prune")[0] == "Deleted 1 login links, 1 sessions and 0 kept answers."
    assert LoginLink.objects.count() == 1
    assert Session.objects.get().session_key == "new"


@pytest.mark.parametrize(
    "command", ["create_key", "erase", "login_link", "orphans", "prune", "storage"]
)
def test_a_database_that_is_behind_is_refused_in_words(command: str):
    MigrationRecorder(connection).migration_qs.filter(app="runs").delete()
    with pytest.raises(CommandError, match=r"The database is behind .* manage\.py migrate"):
        run(command)
