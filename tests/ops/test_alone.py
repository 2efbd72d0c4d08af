"""Two servers on one PostgreSQL database need Redis between them."""

import os
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from runs.management.alone import LOCK, LOOK_SECONDS, REFUSAL
from tests.conftest import REDIS
from tests.live import LiveServer, postgres_database
from tests.ops.serving import get

pytestmark = [pytest.mark.services, pytest.mark.process]


@pytest.fixture
def database() -> Iterator[str]:
    with postgres_database(os.environ["DATABASE_URL"]) as url:
        yield url


def test_without_redis_the_second_one_is_refused(
    start_server: Callable[..., LiveServer], database: str
) -> None:
    """After it has waited for a moment; and the first one serves on."""
    first = start_server(DATABASE_URL=database)
    second = LiveServer(DATABASE_URL=database)
    try:
        started = time.monotonic()
        second.start(wait=False)
        assert second.wait(60) == 1
        assert time.monotonic() - started > 3
        assert second.log.splitlines() == [
            "CommandError: Another process serves this database, and without Redis neither would "
            "hear what happens in the other: set REDIS_URL=redis://host:6379/0 for all of them, "
            "or stop the other one."
        ]
        assert get(first, "/v1/assistants").status_code == 200
        first.kill9()  # the database notices at once
        second.start()
        assert get(second, "/v1/assistants").status_code == 200
    finally:
        second.close()


HOLDERS = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE datname = current_database() AND locktype = 'advisory' AND granted
"""


def test_the_first_one_keeps_others_away_after_its_connection_was_lost(
    start_server: Callable[..., LiveServer], database: str
) -> None:
    """As by a restart of the database. Whoever came first in between is told of."""
    server = start_server(DATABASE_URL=database)
    with psycopg.connect(database, autocommit=True) as admin:

        def holders() -> list[int]:
            return [pid for (pid,) in admin.execute(HOLDERS)]

        (lost,) = holders()
        admin.execute("SELECT pg_terminate_backend(%s)", [lost])
        until(lambda: holders() not in ([], [lost]))
        assert "other servers are kept from the database again" in server.log

        (lost,) = holders()
        admin.execute("SELECT pg_terminate_backend(%s)", [lost])
        admin.execute(f"SELECT pg_advisory_lock({LOCK})".encode())  # another one has started
        until(lambda: REFUSAL in server.log)
        assert holders() == [admin.info.backend_pid]
    assert get(server, "/v1/assistants").status_code == 200
    assert server.stop() == 0


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that takes two looks at the lock."""
    deadline = time.monotonic() + 4 * LOOK_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_server_may_be_started_while_the_one_before_it_stops(
    start_server: Callable[..., LiveServer], database: str
) -> None:
    first = start_server(DATABASE_URL=database)
    second = LiveServer(DATABASE_URL=database)
    try:
        first.signal(15)
        second.start()
        assert first.wait() == 0
        assert get(second, "/v1/assistants").status_code == 200
    finally:
        second.close()


def test_with_redis_there_may_be_several(
    start_server: Callable[..., LiveServer], database: str
) -> None:
    for _ in range(2):
        server = start_server(DATABASE_URL=database, REDIS_URL=REDIS)
        assert get(server, "/v1/assistants").status_code == 200
