"""How the environment becomes settings."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from runsite import environment
from tests import live


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("RUNSITE_UPSTREAM_URL", "")
    assert environment.text("RUNSITE_UPSTREAM_URL") is None
    monkeypatch.setenv("RUNSITE_PORT", "")
    assert environment.whole("RUNSITE_PORT", 8000, least=1) == 8000


def test_a_file_can_hold_the_value(monkeypatch, tmp_path: Path):
    (tmp_path / "key").write_text("secret-value\n")
    monkeypatch.setenv("RUNSITE_UPSTREAM_KEY_FILE", str(tmp_path / "key"))
    assert environment.text("RUNSITE_UPSTREAM_KEY") == "secret-value"


@pytest.mark.parametrize("given", ["no number", "0", "70000", "1.5"])
def test_a_wrong_number_is_refused_with_its_name_and_value(monkeypatch, given):
    monkeypatch.setenv("RUNSITE_PORT", given)
    with pytest.raises(ImproperlyConfigured, match="RUNSITE_PORT must be .*" + given):
        environment.whole("RUNSITE_PORT", 8000, least=1, most=65535)


def test_a_wrong_choice_names_the_right_ones(monkeypatch):
    monkeypatch.setenv("RUNSITE_ENGINE", "celery")
    with pytest.raises(ImproperlyConfigured, match="local, procrastinate, not 'celery'"):
        environment.choice("RUNSITE_ENGINE", "local", ("local", "procrastinate"))


def test_lists_drop_spaces_and_empty_parts(monkeypatch):
    monkeypatch.setenv("RUNSITE_ALLOWED_HOSTS", " a.example , b.example,")
    assert environment.names("RUNSITE_ALLOWED_HOSTS", []) == ["a.example", "b.example"]


def test_sqlite_gets_write_ahead_logging_and_immediate_transactions(monkeypatch, tmp_path):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    config = environment.database(tmp_path, pool=10)
    assert config["NAME"] == str(tmp_path / "runsite.sqlite3")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in config["OPTIONS"]["init_command"]
    assert config["OPTIONS"]["timeout"] == 5


def test_postgresql_without_its_packages_names_the_file_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:pw@db.example/runsite")
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL=.*-r requirements/scaled\.txt"):
        environment.database(tmp_path, pool=4)


def test_postgresql_gets_a_pool_and_no_kept_connections(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:pw@db.example/runsite")
    config = environment.database(tmp_path, pool=4)
    assert config["CONN_MAX_AGE"] == 0
    calls = config["OPTIONS"]["pool"]["max_size"]
    assert calls + environment.executors_share(4) == 4


def test_the_secret_key_is_made_once_for_its_owner_alone(monkeypatch, tmp_path):
    monkeypatch.delenv("RUNSITE_SECRET_KEY", raising=False)
    first = environment.secret_key(tmp_path)
    assert environment.secret_key(tmp_path) == first
    assert len(first) >= 50
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_what_a_start_that_died_has_left_stops_no_other(monkeypatch, tmp_path):
    """In a container the next process has the same number."""
    monkeypatch.delenv("RUNSITE_SECRET_KEY", raising=False)
    (tmp_path / f"secret-key.{os.getpid()}").touch()
    assert len(environment.secret_key(tmp_path)) >= 50


def test_a_data_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = live.manage("check", data_dir=tmp_path / "file" / "data")
    assert done.returncode == 1
    assert done.stderr.startswith("Runsite is not configured correctly: RUNSITE_DATA_DIR")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"RUNSITE_PORT": "eighty"}, "RUNSITE_PORT must be a whole number, not 'eighty'."),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is not a database address"),
        ({"RUNSITE_STRICT_BETA": "maybe"}, "RUNSITE_STRICT_BETA"),
        ({"RUNSITE_API_KEY_FILE": "/no/such/file"}, "RUNSITE_API_KEY_FILE"),
    ],
)
def test_wrong_settings_are_told_without_a_traceback(tmp_path, settings, said):
    done = live.manage("check", data_dir=tmp_path, **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wrong_python_is_told_which_one_is_right():
    done = subprocess.run(
        [sys.executable, "-S", "manage.py", "check"],  # -S: without any installed package
        cwd=live.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Run `make setup` once, then `.venv/bin/python manage.py ...`." in done.stderr
    assert "Traceback" not in done.stderr


def test_tests_do_not_see_the_environment_of_their_user():
    given = [name for name in os.environ if name.startswith("RUNSITE_")]
    allowed = {"RUNSITE_DATA_DIR", "RUNSITE_UPSTREAM_URL"}
    if settings.RUNSITE_ENGINE != "local":  # of the tests on PostgreSQL
        allowed |= {"RUNSITE_ENGINE", "RUNSITE_POOL_SIZE"}
    assert {name for name in given if not name.startswith("RUNSITE_TEST_")} == allowed
