"""What the database holds and how large it is; and how to make SQLite's file small again."""

import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection, models
from django.db.models import Count, Min, Sum

from runs.contract.errors import BadRequest
from runs.models import EventChunk, Message, Project, Run, Thread
from runs.models.database import on_sqlite
from runs.models.figures import Bytes, with_sizes

TOP = 20  # threads that a report names
ROOM = 2  # times its size: what SQLite may need beside the file while it writes it anew


@dataclass(frozen=True, slots=True)
class Table:
    """One table, with its indexes."""

    name: str
    rows: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Share:
    """What a project holds. Bytes are those of messages and event logs."""

    project: str
    threads: int
    runs: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Large:
    """One of the largest threads."""

    thread: str
    number: int
    project: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report. ``measured``: how bytes of tables were found out."""

    tables: list[Table]
    projects: list[Share]
    threads: list[Large]
    measured: str

    def wire(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


def report() -> Report:
    """Look at the whole database. Reads much of it: takes a while where there is much."""
    sizes, measured = table_sizes()
    return Report(tables(sizes), shares(), largest(), measured)


def ours() -> list[type[models.Model]]:
    """The models whose rows grow with use."""
    return list(apps.get_app_config("runs").get_models())


def tables(sizes: dict[str, int]) -> list[Table]:
    """Every table, the largest first."""
    found = []
    for model in ours():
        dated = any(field.name == "created_at" for field in model._meta.concrete_fields)
        wanted = {"oldest": Min("created_at")} if dated else {}
        figures = model._base_manager.aggregate(rows=Count("pk"), **wanted)
        name = str(model._meta.verbose_name_plural)
        size = sizes.get(model._meta.db_table, 0)
        found.append(Table(name, figures["rows"], size, figures.get("oldest")))
    return sorted(found, key=lambda table: -table.bytes)


def table_sizes() -> tuple[dict[str, int], str]:
    """Bytes by table, and where they are from."""
    if not on_sqlite():
        return sizes_by_postgres(), "pg_total_relation_size"
    try:
        return sizes_by_pages(), "dbstat"
    except OperationalError:  # SQLite was built without it
        return sizes_by_content(), "the lengths of what is stored"


def sizes_by_postgres() -> dict[str, int]:
    """With indexes, and what PostgreSQL keeps outside of the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relkind = 'r' AND pg_table_is_visible(oid)"
        )
        return dict(cursor.fetchall())


def sizes_by_pages() -> dict[str, int]:
    """The pages of each table and its indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s"
            " JOIN sqlite_master m ON m.name = s.name WHERE s.aggregate = TRUE"
            " GROUP BY m.tbl_name"
        )
        return dict(cursor.fetchall())


def sizes_by_content() -> dict[str, int]:
    """What the texts of each table hold, without what the database adds."""
    sizes = {}
    for model in ours():
        texts = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField)
        ]
        sums = {f"{name}_bytes": Sum(Bytes(name)) for name in texts}
        found = model._base_manager.aggregate(**sums)
        sizes[model._meta.db_table] = sum(value or 0 for value in found.values())
    return sizes


def shares() -> list[Share]:
    """Every project, the largest first."""
    said = sums(Message.objects.order_by(), "thread__project_id", "content")
    logged = sums(EventChunk.objects.order_by(), "run__project_id", "body")
    threads = grouped(Thread.objects.order_by())
    runs = grouped(Run.objects.order_by())
    found = []
    for project in Project.objects.all():
        size = said.get(project.id, 0) + logged.get(project.id, 0)
        of_threads, oldest = threads.get(project.id, (0, None))
        found.append(Share(project.name, of_threads, runs.get(project.id, (0,))[0], size, oldest))
    return sorted(found, key=lambda share: -share.bytes)


def sums(rows: Any, path: str, column: str) -> dict[str, int]:
    """Bytes of a column by project."""
    return dict(rows.values_list(path).annotate(bytes=Sum(Bytes(column))))


def grouped(rows: Any) -> dict[str, tuple[int, datetime | None]]:
    """How many rows, and when the oldest was made, by project."""
    found = rows.values_list("project_id").annotate(rows=Count("pk"), oldest=Min("created_at"))
    return {project: (count, oldest) for project, count, oldest in found}


def largest() -> list[Large]:
    """The threads that hold most, the largest first."""
    sized = with_sizes(Thread.objects.select_related("project")).order_by("-bytes", "number")
    return [
        Large(thread.id, thread.number, thread.project.name, thread.bytes) for thread in sized[:TOP]
    ]


def file_size() -> int | None:
    """Bytes of SQLite's file; None if the database is not SQLite's."""
    return os.path.getsize(str(connection.settings_dict["NAME"])) if on_sqlite() else None


def free_space() -> int:
    """Bytes that are free where SQLite's file is."""
    return shutil.disk_usage(os.path.dirname(str(connection.settings_dict["NAME"])) or ".").free


def compact_file(free: int | None = None) -> tuple[int, int]:
    """Write SQLite's file anew, without the room that deleted rows left; bytes before and after.

    Writers wait meanwhile, or are told that the database is busy: half a second for 100 MB.

    Args:
        free: bytes that are free, if the caller knows better than the file system.

    Raises:
        BadRequest: the database is not SQLite's, is busy, or has too little room beside it.
    """
    before = file_size()
    if before is None:
        raise BadRequest("Only SQLite is compacted here; PostgreSQL does it by itself.")
    room = free_space() if free is None else free
    if room < ROOM * before:
        raise BadRequest(
            f"The file has {before} bytes and needs {ROOM * before} free ones beside it; "
            f"there are {room}."
        )
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except OperationalError as busy:
        raise BadRequest(f"The file could not be compacted: {busy}.") from busy
    return before, file_size() or 0
