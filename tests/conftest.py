"""What all tests share: the tiers and what they need, the database, live servers."""

import os
import shutil
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection, connections
from django.db.models.signals import post_migrate

from runs.models.database import close_threads
from runs.providers.local_model import installed
from tests.browser.chromium import CHROMIUM
from tests.live import LiveServer

ROOT = Path(__file__).resolve().parent
REDIS = os.environ.get("RUNSITE_TEST_REDIS", "redis://127.0.0.1:6379/15")
REQUIRED = {name for name in os.environ.get("RUNSITE_TEST_REQUIRE", "").split(",") if name}


def answers(url: str) -> bool:
    """Whether something listens where ``url`` says."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or 0), timeout=2).close()
    except OSError:
        return False
    return True


def on_sqlite() -> bool:
    """Whether the tests' database is SQLite."""
    return settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")


def sqlite_missing() -> str | None:
    """Why tests of the tier ``sqlite`` cannot run."""
    return None if on_sqlite() else "DATABASE_URL is another database's"


def services_missing() -> str | None:
    """Why tests of the tier ``services`` cannot run."""
    if on_sqlite():
        return "DATABASE_URL is not PostgreSQL's (make test sets it)"
    return None if answers(REDIS) else f"no Redis answers at {REDIS}"


def node_missing() -> str | None:
    """Why tests of the tier ``node`` cannot run."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    installed = ROOT / "sdk" / "node" / "node_modules"
    return None if installed.exists() else "npm ci was not run in tests/sdk/node"


def browser_missing() -> str | None:
    """Why tests of the tier ``browser`` cannot run."""
    if not Path(CHROMIUM).exists():
        return f"no Chromium at {CHROMIUM}"
    installed = ROOT / "browser" / "node_modules"
    return None if installed.exists() else "npm ci was not run in tests/browser"


def ages_missing() -> str | None:
    """Why tests of the tier ``ages`` cannot run."""
    names = [path.stem for path in (ROOT.parent / "requirements").glob("sdk-*.txt")]
    missing = [name for name in sorted(names) if not (Path(sys.prefix) / name).exists()]
    return f"make test has not installed {' and '.join(missing)}" if missing else None


def model_missing() -> str | None:
    """Why tests of the tier ``model`` cannot run."""
    return None if installed() else "requirements/local-model.txt is not installed"


def setup_missing() -> str | None:
    """Why tests of the tier ``setup`` cannot run."""
    stamp = Path(sys.prefix) / "runsite-base.stamp"
    return None if stamp.exists() else "the environment was not made by make setup"


def fuzz_missing() -> str | None:
    """Why tests of the tier ``fuzz`` cannot run."""
    installed = (Path(sys.prefix) / "fuzz").exists()
    return None if installed else "make test has not installed fuzz"


TIERS: dict[str, Callable[[], str | None]] = {
    "sqlite": sqlite_missing,
    "services": services_missing,
    "node": node_missing,
    "ages": ages_missing,
    "fuzz": fuzz_missing,
    "browser": browser_missing,
    "model": model_missing,
    "setup": setup_missing,
}
SKIPPED: Counter[str] = Counter()
REFUSED: list[str] = []


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that ask the database: there are two to ask."""
    fixtures = getattr(item, "fixturenames", ())
    if item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(fixtures):
        item.add_marker(pytest.mark.database)


@pytest.hookimpl(trylast=True)  # after -m has left out what it does
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of a tier that lacks something, or let them fail where it is required.

    Browser tests go last: Playwright leaves a running loop in the thread of the tests, in
    which no other async test can run.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    for tier, missing in TIERS.items():
        marked = [item for item in items if item.get_closest_marker(tier)]
        reason = missing() if marked else None
        if reason is None or tier in REQUIRED:
            continue
        SKIPPED[f"{tier}: {reason}"] += len(marked)
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"{tier}: {reason}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """A required tier without any test, or without what it needs, is an error."""
    if session.config.option.collectonly:
        return
    for tier in sorted(REQUIRED):
        reason = TIERS[tier]()
        if not any(item.get_closest_marker(tier) for item in session.items):
            reason = "no such test was found"
        if reason:
            REFUSED.append(f"RUNSITE_TEST_REQUIRE={tier}: {reason}")
    if REFUSED and not hasattr(session.config, "workeroutput"):
        raise pytest.UsageError(*REFUSED)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes tells the first what it has skipped and refused: each has looked
    at all tests. The first fails if anything was refused."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tiers"] = (dict(SKIPPED), REFUSED)
    elif REFUSED:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what one of several processes has skipped and refused."""
    if not error:
        skipped, REFUSED[:] = node.workeroutput["tiers"]
        SKIPPED.clear()
        SKIPPED.update(skipped)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests of which tier were skipped, and why, and what was required in vain."""
    for reason in REFUSED:
        terminalreporter.write_line(reason, red=True)
    for reason, count in SKIPPED.items():
        terminalreporter.write_line(f"{count} tests skipped, {reason}")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """After the last test, and before the test database is dropped, close the connections that
    threads keep to it: our own threads, and the one in which sync views of async tests ran.

    A test that commits empties the tables when it ends. Django would then make all permissions
    anew, which takes longer than most of these tests; a test that wants them makes them.
    """
    post_migrate.disconnect(dispatch_uid=f"{create_permissions.__module__}.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    yield
    close_threads()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Start real servers: ``start_server(RUNSITE_X="...")``. All are killed at the end."""
    started: list[LiveServer] = []

    def start(**given: str) -> LiveServer:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        server = LiveServer(folder, **given)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.close()


@pytest.fixture
def server(start_server: Callable[..., LiveServer]) -> LiveServer:
    """One real server with its defaults."""
    return start_server()
