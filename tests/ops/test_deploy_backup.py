"""``manage.py backup`` and ``after_restore``."""

import errno
import json
import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from runs.contract.status import ACTIVE, TERMINAL, RunStatus
from runs.models import LoginLink, Run, ToolCall, UsageEntry
from runs.models.database import now
from runs.operations import access, backup
from tests.factories import make_assistant, make_message, make_run, make_thread
from tests.live import manage, template
from tests.operations.scene import names

LAPSED = {"lease_until": timezone.now() - timedelta(minutes=5)}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def refuse(*names: str) -> None:
    """A file system without links."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.fixture
def data_dir(tmp_path):
    """A data directory with a migrated SQLite file, as a server has it."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "runsite.sqlite3").write_bytes((template() / "runsite.sqlite3").read_bytes())
    return folder


def rows(path) -> dict[str, int]:
    """How many rows each table of a file has."""
    with closing(sqlite3.connect(path)) as file:
        tables = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: file.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for (name,) in tables
        }


@pytest.mark.process
class TestBackup:
    def test_is_a_whole_copy_that_only_its_owner_reads(self, data_dir, tmp_path):
        key = manage("create_key", data_dir=data_dir)
        assert key.returncode == 0, key.stderr
        target = tmp_path / "backups" / "today.sqlite3"
        target.parent.mkdir()
        old = os.umask(0)  # the mode is the command's doing
        try:
            done = manage("backup", str(target), data_dir=data_dir)
        finally:
            os.umask(old)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Wrote {target} (")
        assert os.listdir(target.parent) == ["today.sqlite3"]
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert rows(target) == rows(data_dir / "runsite.sqlite3")
        assert rows(target)["runs_apikey"] == 1

    def test_overwrites_nothing(self, data_dir, tmp_path):
        target = tmp_path / "today.sqlite3"
        target.write_text("something dear")
        done = manage("backup", str(target), data_dir=data_dir)
        assert done.returncode == 1
        assert done.stderr == (
            f"CommandError: {target} is there already; backups overwrite nothing.\n"
        )
        assert target.read_text() == "something dear"

    def test_of_a_database_that_is_not_there_makes_none(self, tmp_path):
        empty = tmp_path / "empty"
        done = manage("backup", str(tmp_path / "copy"), data_dir=empty)
        assert done.returncode == 1
        assert f"There is no database at {empty}/runsite.sqlite3." in done.stderr
        assert not (tmp_path / "copy").exists()
        assert not (empty / "runsite.sqlite3").exists()

    @pytest.mark.parametrize("fault", ["folder", "damage"])
    def test_that_fails_leaves_nothing_behind(self, data_dir, tmp_path, fault):
        target = tmp_path / "copies" / "copy"
        if fault == "damage":
            target.parent.mkdir()
            with (data_dir / "runsite.sqlite3").open("r+b") as file:
                file.seek(5 * 4096)
                file.write(b"\xff" * 8 * 4096)
        done = manage("backup", str(target), data_dir=data_dir)
        assert done.returncode == 1
        assert "The backup could not be written: " in done.stderr
        assert "Traceback" not in done.stderr
        assert not target.exists()
        assert fault == "folder" or os.listdir(target.parent) == []

    def test_comes_before_the_migration(self, data_dir, tmp_path):
        path = data_dir / "runsite.sqlite3"
        with closing(sqlite3.connect(path)) as file:
            file.execute("DELETE FROM django_migrations WHERE app = 'runs'")
            file.commit()
        target = tmp_path / "copy"
        done = manage("backup", str(target), data_dir=data_dir)
        assert done.returncode == 0, done.stderr
        assert target.exists()

    @pytest.mark.sqlite
    @pytest.mark.django_db(transaction=True)
    def test_what_one_that_died_has_left_stops_no_other(self, tmp_path):
        """In a container the next process has the same number."""
        left = tmp_path / f".copy.{os.getpid()}.partial"
        left.touch()
        run("backup", str(tmp_path / "copy"))
        assert sorted(os.listdir(tmp_path)) == [left.name, "copy"]

    @pytest.mark.sqlite
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("links", [True, False])
    def test_overwrites_nothing_that_came_meanwhile(self, tmp_path, monkeypatch, links):
        target = tmp_path / "copy"
        copy_to = backup.copy_to

        def slowly(fresh):
            copy_to(fresh)
            target.write_text("something dear")

        monkeypatch.setattr(backup, "copy_to", slowly)
        if not links:
            monkeypatch.setattr(os, "link", refuse)
        with pytest.raises(CommandError, match="File exists"):
            run("backup", str(target))
        assert target.read_text() == "something dear"
        assert os.listdir(tmp_path) == ["copy"]

    @pytest.mark.sqlite
    @pytest.mark.django_db(transaction=True)
    def test_needs_no_links(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "link", refuse)
        run("backup", str(tmp_path / "copy"))
        assert os.listdir(tmp_path) == ["copy"]
        assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600

    @pytest.mark.services
    @pytest.mark.django_db
    def test_of_postgresql_is_pg_dumps(self, tmp_path):
        with pytest.raises(CommandError, match="pg_dump --format=custom"):
            run("backup", str(tmp_path / "copy"))
        assert os.listdir(tmp_path) == []


@pytest.mark.django_db
class TestAfterRestore:
    @pytest.mark.parametrize("status", sorted(ACTIVE - {RunStatus.CANCELLING}))
    def test_unfinished_runs_have_failed_and_say_why(self, status):
        lease = LAPSED if status == RunStatus.IN_PROGRESS else {}
        before = make_run(status=status, **lease)
        assert run("after_restore").startswith("Ended 1 unfinished runs;")
        after = Run.objects.get()
        assert after.status == RunStatus.FAILED
        assert after.last_error["code"] == "server_error"
        assert "restored from a backup" in after.last_error["message"]
        assert after.failed_at is not None
        assert after.required_action is None
        assert after.epoch == before.epoch + 1
        assert (after.lease_owner, after.lease_until) == ("", None)
        assert names(after)[-1] == "thread.run.failed"
        assert UsageEntry.objects.count() == 1

    def test_open_steps_end_with_the_run_and_keep_what_was_said(self):
        waiting = make_run(status=RunStatus.REQUIRES_ACTION)
        run("after_restore")
        step = waiting.steps.get()
        assert step.status == "failed"
        assert step.last_error["code"] == "server_error"
        assert ToolCall.objects.get().output is None
        assert names(waiting) == ["thread.run.step.failed", "thread.run.failed"]

    def test_one_that_was_being_cancelled_is_cancelled(self):
        make_run(status=RunStatus.CANCELLING, **LAPSED)
        run("after_restore")
        assert Run.objects.get().status == RunStatus.CANCELLED

    def test_runs_in_line_end_too_and_their_messages_do_not_enter_the_thread(self):
        thread = make_thread()
        assistant = make_assistant(thread.project)
        make_run(thread, RunStatus.QUEUED, assistant)
        said = [{"role": "user", "content": []}]
        make_run(thread, RunStatus.QUEUED, assistant, in_line=True, line_messages=said)
        run("after_restore")
        assert list(Run.objects.values_list("status", "in_line")) == [("failed", False)] * 2
        assert thread.messages.count() == 0

    def test_what_had_ended_stays_as_it_is(self):
        for status in sorted(TERMINAL):
            make_run(status=status)
        make_message()
        before = list(Run.objects.order_by("number").values())
        assert run("after_restore").startswith("Ended 0 unfinished runs;")
        assert list(Run.objects.order_by("number").values()) == before

    def test_more_threads_than_a_batch_takes(self):
        assistant = make_assistant()
        for _ in range(203):
            make_run(make_thread(assistant.project), RunStatus.QUEUED, assistant)
        assert run("after_restore").startswith("Ended 203 unfinished runs;")
        assert not Run.objects.filter(status__in=sorted(ACTIVE)).exists()

    def test_everybody_is_signed_out(self):
        access.make_login_link()
        Session.objects.create(session_key="old", expire_date=now() + timedelta(days=1))
        assert run("after_restore").endswith("deleted 1 sessions and 1 login links.")
        assert not Session.objects.exists()
        assert not LoginLink.objects.exists()

    def test_dry_run_counts_and_does_nothing(self):
        make_run()
        access.make_login_link()
        told = json.loads(run("after_restore", "--dry-run", "--json"))
        assert told == {"dry_run": True, "runs": 1, "sessions": 0, "login_links": 1}
        assert run("after_restore", "--dry-run").startswith("Would end 1 unfinished runs;")
        assert Run.objects.get().status == RunStatus.QUEUED
        assert LoginLink.objects.count() == 1

    def test_a_database_in_use_is_refused(self):
        make_run(status=RunStatus.IN_PROGRESS)
        waiting = make_run()
        with pytest.raises(CommandError, match="stop all servers and workers"):
            run("after_restore")
        waiting.refresh_from_db()
        assert waiting.status == RunStatus.QUEUED

    def test_a_database_that_is_behind_is_refused_in_words(self):
        MigrationRecorder(connection).migration_qs.filter(app="runs").delete()
        with pytest.raises(CommandError, match=r"The database is behind .* manage\.py migrate"):
            run("after_restore")
