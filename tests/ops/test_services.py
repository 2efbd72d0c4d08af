"""Servers on PostgreSQL and Redis."""

import os
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.conftest import REDIS
from tests.live import LiveServer, free_port, manage, postgres_database

pytestmark = [pytest.mark.services, pytest.mark.process]


@pytest.fixture
def database() -> Iterator[str]:
    with postgres_database(os.environ["DATABASE_URL"]) as url:
        yield url


def readyz(server: LiveServer) -> tuple[int, dict]:
    response = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=10)
    return response.status_code, response.json()


def test_redis_is_reported_and_its_absence_is_no_failure(
    start_server: Callable[..., LiveServer], database: str
):
    there = start_server(DATABASE_URL=database, REDIS_URL=REDIS)
    assert readyz(there)[0] == 200
    assert readyz(there)[1]["checks"]["redis"] == "ok"
    gone = start_server(DATABASE_URL=database, REDIS_URL="redis://127.0.0.1:9/0")
    assert readyz(gone) == (200, readyz(gone)[1])
    assert readyz(gone)[1]["checks"]["redis"] == "degraded"
    assert readyz(gone)[1]["status"] == "degraded"


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path):
    done = manage(
        "serve",
        data_dir=tmp_path,
        DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:9/none",
        RUNSITE_PORT=str(free_port()),
    )
    assert done.returncode == 1
    assert "The database cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing@" not in done.stderr
