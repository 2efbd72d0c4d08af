"""A copy of SQLite's file while others go on writing to it."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import DatabaseError, connection

from runs.contract.errors import BadRequest
from runs.models.database import on_sqlite


def back_up(target: Path) -> int:
    """Write a copy of the database to ``target``, readable by its owner alone; its bytes.

    The copy is that of one moment. It gets its name once it is whole, checked and on the disk.

    Raises:
        BadRequest: there is something at ``target``, no room for it, or no SQLite file to copy.
    """
    if not on_sqlite():
        raise BadRequest(
            "PostgreSQL is backed up by its own program: pg_dump --format=custom. "
            "docs/operations.md says how."
        )
    source = Path(connection.settings_dict["NAME"])
    if not source.is_file():  # SQLite would make an empty one
        raise BadRequest(f"There is no database at {source}.")
    if os.path.lexists(target):
        raise BadRequest(f"{target} is there already; backups overwrite nothing.")
    try:
        with beside(target) as fresh:
            copy_to(fresh)
            size = fresh.stat().st_size
            name(fresh, target)
        sync(target.parent)
    except (OSError, DatabaseError, sqlite3.Error) as fault:
        raise BadRequest(f"The backup could not be written: {fault}.") from fault
    return size


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """An empty file of its owner alone in the folder of ``target``; it is deleted in the end."""
    descriptor, path = tempfile.mkstemp(".partial", f".{target.name}.", target.parent)
    os.close(descriptor)
    fresh = Path(path)
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def name(fresh: Path, target: Path) -> None:
    """Give a file its name.

    Raises:
        FileExistsError: somebody else has made a file of that name meanwhile.
    """
    try:
        os.link(fresh, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as a memory stick's
        target.touch(exist_ok=False)  # so what is overwritten is ours
        fresh.rename(target)


def copy_to(fresh: Path) -> None:
    """Fill an empty file with what the database holds now, and look whether it is whole.

    In one step: a backup in small ones begins anew at every write of others, and under load
    never ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(fresh)])
    with closing(sqlite3.connect(fresh)) as copy:
        said = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if said != ["ok"]:
        raise sqlite3.DatabaseError(f"the copy is damaged ({said[0]})")
    sync(fresh)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
