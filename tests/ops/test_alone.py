"""Two servers on one PostgreSQL database need Redis between them."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

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
