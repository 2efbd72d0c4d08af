"""The storage report, and SQLite's file made small."""

import pytest
from django.db import connection

from runs.contract.errors import BadRequest
from runs.models import Message
from runs.operations import storage
from tests.factories import make_message, make_project
from tests.filled import make_full_thread


@pytest.mark.django_db
def test_rows_and_bytes_by_table_project_and_thread():
    project, other = make_project("small"), make_project("large")
    threads = [make_full_thread(project), make_full_thread(other)]
    make_message(threads[1], "ö" * 100_000)
    report = storage.report()
    tables = {table.name: table for table in report.tables}
    assert tables["messages"].rows == Message.objects.count()
    assert tables["messages"].bytes > 0
    assert tables["tool calls"].oldest is None
    assert tables["messages"].oldest == Message.objects.earliest("created_at").created_at
    assert [share.project for share in report.projects] == ["large", "small"]
    assert report.projects[0].bytes > 200_000
    assert (report.projects[1].threads, report.projects[1].runs) == (1, 1)
    assert [large.thread for large in report.threads] == [threads[1].id, threads[0].id]
    assert report.threads[0].bytes == report.projects[0].bytes
    assert report.wire()["measured"] == report.measured


@pytest.mark.django_db
def test_without_the_databases_own_figures_the_content_counts():
    make_message(text="x" * 1000)
    sizes = storage.sizes_by_content()
    assert 1000 < sizes["runs_message"] < 3000
    assert sizes["runs_run"] == 0


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_the_file_becomes_smaller():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    make_message(text="x" * 5_000_000)
    Message.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before, after = storage.compact_file()
    assert after < before - 4_000_000


@pytest.mark.sqlite
@pytest.mark.django_db
def test_not_without_room_and_not_inside_a_transaction():
    with pytest.raises(BadRequest, match="free ones beside it; there are 10"):
        storage.compact_file(free=10)
    with pytest.raises(BadRequest, match="could not be compacted"):
        storage.compact_file(free=10**12)


@pytest.mark.services
@pytest.mark.django_db
def test_postgresql_is_left_to_itself():
    with pytest.raises(BadRequest, match="Only SQLite"):
        storage.compact_file()
