"""System checks: configurations that start but cannot work are refused with a sentence."""

import difflib
import os
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from runs.providers.openai_compatible import checked_key, checked_url

Apps = Sequence[AppConfig] | None


@register("runsite")
def database_is_right_for_an_async_server(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """SQLite in WAL with IMMEDIATE; PostgreSQL with a pool and no persistent connections."""
    return database_problems(settings.DATABASES["default"])


def database_problems(config: dict[str, Any]) -> list[CheckMessage]:
    """What is wrong with one entry of DATABASES."""
    given = config.get("OPTIONS", {})
    found: list[CheckMessage] = []
    if config.get("CONN_MAX_AGE"):
        found.append(
            Error(
                "CONN_MAX_AGE is set: under ASGI every request would leave a connection behind.",
                hint="Leave conn_max_age out of DATABASE_URL; the pool keeps connections.",
                id="runsite.E004",
            )
        )
    if config["ENGINE"].endswith("sqlite3"):
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            found.append(
                Error(
                    f"SQLite {sqlite3.sqlite_version} is too old: 3.33 or newer is needed.",
                    hint="Use a Python with a newer SQLite, or PostgreSQL (DATABASE_URL).",
                    id="runsite.E005",
                )
            )
        pragmas = str(given.get("init_command", "")).replace(" ", "").lower()
        if given.get("transaction_mode") != "IMMEDIATE" or "journal_mode=wal" not in pragmas:
            found.append(
                Error(
                    "SQLite needs write-ahead logging and IMMEDIATE transactions.",
                    hint="Leave transaction_mode and init_command out of DATABASE_URL.",
                    id="runsite.E005",
                )
            )
    elif not given.get("pool"):
        found.append(
            Error(
                "PostgreSQL needs its connection pool.",
                hint="Leave pool out of DATABASE_URL; RUNSITE_POOL_SIZE sets its size.",
                id="runsite.E004",
            )
        )
    return found


OLDEST_SQLITE = (3, 33)  # the first with UPDATE ... FROM, which flushes use

#: Types in /proc/mounts of file systems that other machines may write to as well. Write-ahead
#: logging shares memory through a file, which only processes of one machine can.
NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4",
    "smb3", "smbfs", "sshfs", "s3fs", "rclone",
}  # fmt: skip
MOUNTS = Path("/proc/mounts")  # where there is none, nothing is known


@register("runsite")
def database_file_is_on_a_local_disk(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """SQLite's file is not on a network's."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3") or not MOUNTS.exists():
        return []
    kind = file_system(Path(database["NAME"]), MOUNTS.read_text())
    if kind.removeprefix("fuse.") not in NETWORK:
        return []
    return [
        Error(
            f"{database['NAME']} is on a network file system ({kind}), where SQLite's write-ahead "
            "logging does not work: it would be damaged.",
            hint="Put RUNSITE_DATA_DIR on a local disk, or use PostgreSQL (DATABASE_URL).",
            id="runsite.E018",
        )
    ]


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that a path is on, by the text of ``/proc/mounts``."""
    place, kind = Path(), ""
    real = path.resolve()
    for line in mounts.splitlines():
        _, point, found, *_ = line.split(" ")
        # Spaces and the like are written as octal numbers.
        mounted = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), point))
        # The later of two at one place lies above the other.
        if real.is_relative_to(mounted) and len(mounted.parts) >= len(place.parts):
            place, kind = mounted, found
    return kind


@register("runsite")
def engine_can_run(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """Workers and serving processes share a PostgreSQL database, and Redis for what is live."""
    if settings.RUNSITE_ENGINE == "local":
        return []
    return engine_problems(settings.DATABASES["default"], settings.REDIS_URL)


def engine_problems(database: dict[str, Any], redis_url: str | None) -> list[CheckMessage]:
    """What several processes lack to share the work."""
    found: list[CheckMessage] = []
    if database["ENGINE"].endswith("sqlite3"):
        found.append(
            Error(
                "RUNSITE_ENGINE=procrastinate needs PostgreSQL.",
                hint="Set DATABASE_URL=postgresql://user:password@host/name.",
                id="runsite.E006",
            )
        )
    if not redis_url:
        found.append(
            Error(
                "RUNSITE_ENGINE=procrastinate needs Redis between its processes.",
                hint="Set REDIS_URL=redis://host:6379/0.",
                id="runsite.E006",
            )
        )
    return found


@register("runsite")
def upstream_can_be_asked(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """An address, key or file that no request could be made with."""
    if not settings.RUNSITE_UPSTREAM_URL:
        return []
    try:
        checked_url(settings.RUNSITE_UPSTREAM_URL)
        checked_key(settings.RUNSITE_UPSTREAM_KEY or "")
    except ValueError as error:
        return [Error(str(error), id="runsite.E017")]
    ca_file = settings.RUNSITE_UPSTREAM_CA_FILE
    if ca_file and not os.path.isfile(ca_file):
        return [Error(f"RUNSITE_UPSTREAM_CA_FILE: there is no file {ca_file}.", id="runsite.E017")]
    return []


@register("runsite")
def secrets_are_long_enough(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """Keys that an operator chose."""
    found: list[CheckMessage] = []
    if settings.RUNSITE_API_KEY and len(settings.RUNSITE_API_KEY) < 32:
        found.append(Error("RUNSITE_API_KEY must have 32 characters or more.", id="runsite.E009"))
    if len(settings.SECRET_KEY) < 32:
        found.append(
            Error("RUNSITE_SECRET_KEY must have 32 characters or more.", id="runsite.E009")
        )
    return found


@register("runsite")
def hosts_are_named(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """``*`` would let any page on the net reach this server through its visitor's browser."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "RUNSITE_ALLOWED_HOSTS must not be *.",
            hint="List the names and addresses by which this server is reached.",
            id="runsite.E002",
        )
    ]


@register("runsite")
def variables_are_known(app_configs: Apps, **options: Any) -> list[CheckMessage]:
    """A misspelt variable would otherwise be ignored in silence."""
    known = {name for name in dir(settings) if name.startswith("RUNSITE_")}
    found: list[CheckMessage] = []
    for name in sorted(os.environ):
        plain = name.removesuffix("_FILE")
        if (
            not name.startswith("RUNSITE_")
            or name.startswith("RUNSITE_TEST_")
            or {name, plain} & known
        ):
            continue
        near = difflib.get_close_matches(plain, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else "docs/operations.md lists the variables."
        found.append(Warning(f"{name} is not a setting. {hint}", id="runsite.W001"))
    return found
