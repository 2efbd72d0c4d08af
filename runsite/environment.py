"""Reading the environment: one reader, and the few conversions that settings.py needs."""

import os
import secrets
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from environs import FileAwareEnv

env = FileAwareEnv(strip_whitespace=True)

SQLITE_BUSY_SECONDS = 5
#: The pool tries for so long to connect, then for whoever asks next. By itself it would wait twice
#: as long after each failure, and not notice for minutes that the database is back.
RECONNECT_SECONDS = 2.0
EXECUTORS_CONNECTIONS = 4
#: WAL: readers and the writer do not block each other. NORMAL survives the death of the
#: process; only a power cut may lose the last commits.
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"

#: A process that is frozen or cut off inside a transaction keeps its rows locked, and all who want
#: them wait, whatever leases say: only the database can end that. And a database whose machine is
#: gone says nothing: its connections are given up after half a minute.
POSTGRES_OPTIONS: dict[str, str | int] = {
    "options": "-c idle_in_transaction_session_timeout=5s",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def text(name: str) -> str | None:
    """A setting as text; an empty one counts as not set (compose files write those)."""
    try:
        return env.str(name, None) or None
    except ValueError as error:  # NAME_FILE names no readable file
        raise ImproperlyConfigured(str(error)) from None


def names(name: str, default: list[str]) -> list[str]:
    """A comma-separated setting."""
    return [part.strip() for part in (text(name) or "").split(",") if part.strip()] or default


def whole_or_none(name: str, *, least: int, most: int | None = None) -> int | None:
    """A whole number within bounds, or None where none is given."""
    given = text(name)
    if given is None:
        return None
    try:
        value = int(given)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {given!r}.") from None
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ImproperlyConfigured(f"{name} must be {bounds}, not {value}.")
    return value


def whole(name: str, default: int, *, least: int, most: int | None = None) -> int:
    """A whole number within bounds."""
    value = whole_or_none(name, least=least, most=most)
    return default if value is None else value


def switch(name: str, *, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off."""
    return default if text(name) is None else env.bool(name)


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    value = text(name) or default
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def require(package: str, setting: str) -> None:
    """Say what to install where a setting needs more than requirements/base.txt."""
    if find_spec(package) is None:
        raise ImproperlyConfigured(
            f"{setting} needs {package}. Install it: {sys.executable} -m pip install "
            "--require-hashes -r requirements/scaled.txt"
        )


def executors_share(pool: int) -> int:
    """How many of a process's connections to PostgreSQL its runs have for themselves."""
    return min(EXECUTORS_CONNECTIONS, pool // 2)


def database(data_dir: Path, pool: int) -> dict[str, Any]:
    """The one entry of DATABASES, with the options without which an async server goes wrong.

    SQLite: IMMEDIATE, because a transaction that reads and then writes fails at once with
    "locked" otherwise. PostgreSQL: a pool and no persistent connections, because under
    ASGI each request may run in a new thread, and kept connections are never found again.
    """
    url = text("DATABASE_URL") or f"sqlite:///{data_dir / 'runsite.sqlite3'}"
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(url))
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"DATABASE_URL is not a database address: {error}") from None
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        options.setdefault("transaction_mode", "IMMEDIATE")
        options.setdefault("timeout", SQLITE_BUSY_SECONDS)
        options.setdefault("init_command", SQLITE_PRAGMAS)
        config["TEST"] = {"NAME": str(data_dir / "test.sqlite3")}
    else:
        require("psycopg_pool", "DATABASE_URL=postgresql://...")
        config["CONN_MAX_AGE"] = 0
        config["CONN_HEALTH_CHECKS"] = True  # the pool's: after a restart it has only dead ones
        for name, value in POSTGRES_OPTIONS.items():
            options.setdefault(name, value)
        calls = pool - executors_share(pool)
        options.setdefault(
            "pool",
            {
                "min_size": min(2, calls),
                "max_size": calls,
                "timeout": 5,
                "reconnect_timeout": RECONNECT_SECONDS,
            },
        )
    return config


def secret_key(data_dir: Path) -> str:
    """RUNSITE_SECRET_KEY, or the key of this data directory: made once, readable by its owner.

    Two processes may start at once: the file gets its name only when it is complete, and
    the first name wins. What a process that died in the midst has left is in nobody's way.
    """
    given = text("RUNSITE_SECRET_KEY")
    if given:
        return given
    path = data_dir / "secret-key"
    if not path.exists():
        descriptor, fresh = tempfile.mkstemp(prefix="secret-key.", dir=data_dir)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(descriptor)
            with suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            os.unlink(fresh)
    return path.read_text().strip()


def data_dir(base: Path) -> Path:
    """RUNSITE_DATA_DIR, made if it is not there."""
    path = (base / (text("RUNSITE_DATA_DIR") or "var")).resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"RUNSITE_DATA_DIR cannot be made: {error}") from None
    if not os.access(path, os.W_OK):
        raise ImproperlyConfigured(f"RUNSITE_DATA_DIR is not writable: {path}")
    return path
