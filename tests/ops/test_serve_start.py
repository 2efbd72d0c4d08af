"""``manage.py serve`` at its start: what it says, and what it refuses to start with."""

import sqlite3

import pytest

from tests.live import KEY, free_port, manage
from tests.ops.serving import get

pytestmark = pytest.mark.process


def test_a_start_prints_what_a_person_needs_and_no_key_of_theirs(shared):
    assert "Runsite is ready." in shared.log
    assert f"Base URL  {shared.base_url}" in shared.log
    assert shared.login_url.startswith(f"{shared.url}/console/enter/#")
    assert "the one in RUNSITE_API_KEY" in shared.log
    assert KEY not in shared.log
    assert get(shared, "/v1/assistants").status_code == 200


def test_the_first_start_makes_a_key_and_later_ones_do_not(start_server):
    server = start_server(RUNSITE_API_KEY="")
    assert server.key.startswith("rsk_live_")
    assert get(server, "/v1/assistants").status_code == 200
    server.restart()
    assert server.log.count("rsk_live_") == 1
    assert "as before" in server.log
    assert get(server, "/v1/assistants").status_code == 200


def test_no_link_is_printed_once_an_operator_has_a_password(server):
    make = (
        "from django.contrib.auth.models import User;"
        "User.objects.create_superuser('me', password='a long password indeed')"
    )
    assert server.manage("shell", "-c", make).returncode == 0
    before = server.log.count("/console/enter/#")
    server.restart()
    assert server.log.count("/console/enter/#") == before
    assert f"Console   {server.url}/console/" in server.log


def test_a_start_notes_what_the_version_before_it_ended_and_did_not_note(server):
    """A process of that version may go on to serve after the migrations."""
    server.stop()
    make = (
        "from runs.models import UsageEntry; from tests.factories import make_run;"
        "make_run(status='completed'); print(UsageEntry.objects.count())"
    )
    assert server.manage("shell", "--no-imports", "-c", make).stdout.strip() == "0"
    server.start()
    with sqlite3.connect(server.data_dir / "runsite.sqlite3") as database:
        assert database.execute("SELECT status FROM runs_usageentry").fetchall() == [("completed",)]
    database.close()


def test_a_port_that_is_taken_is_one_sentence(shared, tmp_path):
    done = manage("serve", data_dir=tmp_path, RUNSITE_PORT=str(shared.port))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{shared.port}" in done.stderr
    assert "RUNSITE_PORT" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runsite.sqlite3").exists()


def test_a_schema_that_is_behind_is_refused_with_the_command(tmp_path):
    done = manage("serve", data_dir=tmp_path, RUNSITE_PORT=str(free_port()))
    assert done.returncode == 1
    assert "python manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_newer_schema_is_refused(server):
    server.stop()
    with sqlite3.connect(server.data_dir / "runsite.sqlite3") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('runs', '9999_later', '2030-01-01')"
        )
    database.close()
    done = server.manage("serve")
    assert done.returncode == 1
    assert "newer version" in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"RUNSITE_HOST": "0.0.0.0"}, "set RUNSITE_ALLOWED_HOSTS"),  # noqa: S104 - refused
        ({"RUNSITE_ALLOWED_HOSTS": "*"}, "RUNSITE_ALLOWED_HOSTS must not be *"),
        ({"RUNSITE_API_KEY": "short"}, "RUNSITE_API_KEY must have 32 characters"),
        ({"RUNSITE_ENGINE": "procrastinate"}, "Set DATABASE_URL=postgresql://"),
        ({"RUNSITE_ENGINE": "procrastinate"}, "Set REDIS_URL=redis://"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, settings, said):
    done = manage("serve", data_dir=tmp_path, RUNSITE_PORT=str(free_port()), **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_refuses_the_same(tmp_path):
    """Though it leaves out what Django checks of pages."""
    done = manage("worker", data_dir=tmp_path, RUNSITE_ENGINE="procrastinate")
    assert done.returncode == 1
    assert "Set REDIS_URL=redis://" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_of_hosts_may_come_from_a_file(start_server, tmp_path):
    names = tmp_path / "hosts"
    names.write_text("localhost,127.0.0.1\n")
    server = start_server(RUNSITE_HOST="0.0.0.0", RUNSITE_ALLOWED_HOSTS_FILE=str(names))  # noqa: S104
    assert "can be reached from other machines" in server.log


def test_links_have_the_public_address(start_server):
    server = start_server(RUNSITE_TRUSTED_ORIGINS="https://runs.example.com")
    assert "Console   https://runs.example.com/console/enter/#" in server.log
    assert "Base URL  https://runs.example.com/v1\n" in server.log


def test_a_misspelt_variable_is_a_warning_at_the_start(start_server):
    server = start_server(RUNSITE_LEASE_SECOND="3")
    assert "RUNSITE_LEASE_SECOND is not a setting" in server.log
    assert "RUNSITE_LEASE_SECONDS" in server.log
