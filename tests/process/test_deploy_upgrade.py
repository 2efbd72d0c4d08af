"""Processes of one version on the database of the next one."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.chaos.cluster import Worker
from tests.conftest import REDIS
from tests.live import EMPTY, LiveServer, free_port, manage, postgres_database
from tests.process.client import Api, text_of
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = [pytest.mark.process, pytest.mark.services]

MODEL = "tools-1-then-text-20x10"
#: What a migration of the next version does while this one serves (docs/operations.md).
EXPAND = """
ALTER TABLE runs_run ADD COLUMN tomorrow text NOT NULL DEFAULT 'as today';
ALTER TABLE runs_message ADD COLUMN tomorrow text NULL;
INSERT INTO django_migrations (app, name, applied) VALUES ('runs', '0999_tomorrow', now());
"""


@pytest.fixture
def settings(upstream: Upstream) -> Iterator[dict[str, str]]:
    """Those of all processes."""
    with postgres_database(os.environ["DATABASE_URL"]) as url:
        yield {
            "RUNSITE_ENGINE": "procrastinate",
            "DATABASE_URL": url,
            "REDIS_URL": REDIS,
            "RUNSITE_UPSTREAM_URL": upstream.url,
        }


@pytest.fixture
async def api(
    start_server: Callable[..., LiveServer], settings: dict[str, str]
) -> AsyncIterator[Api]:
    """The API of a web process, which is the only process so far."""
    async with Api(start_server(**settings)) as api:
        yield api


@pytest.fixture
def start_worker(tmp_path: Path, settings: dict[str, str]) -> Iterator[Callable[[], Worker]]:
    """Start the worker."""
    with ExitStack() as stack:

        def start() -> Worker:
            folder = tmp_path / "worker"
            folder.mkdir()
            return stack.enter_context(Worker(folder, **settings))

        yield start


async def see_through(api: Api, count: int) -> None:
    """Runs are created, wait for outputs, and complete."""
    for _ in range(count):
        run = await api.wait(await api.run(MODEL), "requires_action")
        run = await api.wait(await api.answer(run), "completed")
        *_, message = await api.messages(run)
        assert text_of(message) == expected_text(MODEL)


async def test_older_processes_go_on_beside_a_newer_database(
    api: Api, start_worker: Callable[[], Worker], settings: dict[str, str], tmp_path: Path
) -> None:
    """They create, drive and end runs as before. Only to start one is refused."""
    worker = start_worker()
    waiting = await api.wait(await api.run(MODEL), "requires_action")
    with psycopg.connect(settings["DATABASE_URL"]) as database:
        database.execute(EXPAND)
    await api.wait(await api.answer(waiting), "completed")
    await see_through(api, 2)
    assert (await api.http.get(f"{api.server.url}/readyz")).status_code == 200
    assert "Traceback" not in api.server.log + worker.log
    folder = tmp_path / "late"
    folder.mkdir()
    for command in ("serve", "worker"):
        late = manage(command, data_dir=folder, **settings, RUNSITE_PORT=str(free_port()))
        assert late.returncode == 1
        assert "The database was made by a newer version of Runsite." in late.stderr


def test_a_migration_without_the_engine_is_not_enough(tmp_path: Path) -> None:
    """Its tables are procrastinate's own. The refusal names the variable."""
    with postgres_database(os.environ["DATABASE_URL"], EMPTY) as url:
        assert manage("migrate", data_dir=tmp_path, DATABASE_URL=url).returncode == 0
        scaled = {"DATABASE_URL": url, "REDIS_URL": REDIS, "RUNSITE_ENGINE": "procrastinate"}
        refused = manage("worker", data_dir=tmp_path, **scaled)
        assert refused.returncode == 1
        assert "manage.py migrate with RUNSITE_ENGINE=procrastinate" in refused.stderr
