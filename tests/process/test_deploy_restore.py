"""A backup taken under running runs, restored elsewhere, and served."""

import asyncio
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from tests.chaos.cluster import Worker
from tests.conftest import REDIS
from tests.live import EMPTY, LiveServer, manage, postgres_database
from tests.process.client import Api, Reader, Wire, path_of, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process

ON_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]
STATUSES = ("queued", "in_progress", "requires_action", "cancelling")


class Database(Protocol):
    """How a database is backed up, and its backup restored as another one."""

    settings: dict[str, str]

    def back_up(self, server: LiveServer, target: Path) -> None: ...

    def restore(self, target: Path, data_dir: Path) -> dict[str, str]: ...


class Sqlite:
    """A file in the data directory, and runs executed by the server."""

    settings: dict[str, str] = {}  # noqa: RUF012 - never changed

    def back_up(self, server: LiveServer, target: Path) -> None:
        """By our own command."""
        done = server.manage("backup", str(target))
        assert done.returncode == 0, done.stderr

    def restore(self, target: Path, data_dir: Path) -> dict[str, str]:
        """Put the file into another data directory."""
        target.rename(data_dir / "runsite.sqlite3")
        return {}


class Postgres:
    """A database of the tests' server, a second one for the restore, and runs executed by workers,
    with hints that wait."""

    def __init__(self, stack: ExitStack):
        server = os.environ["DATABASE_URL"]
        url = stack.enter_context(postgres_database(server))
        self.second = stack.enter_context(postgres_database(server, EMPTY))
        self.scaled = {"RUNSITE_ENGINE": "procrastinate", "REDIS_URL": REDIS}
        self.settings = {**self.scaled, "DATABASE_URL": url}

    def back_up(self, server: LiveServer, target: Path) -> None:
        """As docs/operations.md says: no password in the command, a name that overwrites nothing,
        and a file of its owner alone."""
        address = self.told(target, self.settings["DATABASE_URL"])
        done = self.dump(target, address)
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        refused = self.dump(target, address)
        assert refused.returncode == 1
        assert "File exists" in refused.stderr

    def dump(self, target: Path, address: str) -> "subprocess.CompletedProcess[str]":
        """The line of the document."""
        script = '(umask 077 && pg_dump --format=custom "$1" > $0.partial) && ln $0.partial $0'
        command = ["sh", "-c", f"{script} && rm $0.partial", str(target), address]
        return subprocess.run(
            command, env=self.password(target), capture_output=True, text=True, check=False
        )

    def restore(self, target: Path, data_dir: Path) -> dict[str, str]:
        """As docs/operations.md says."""
        address = self.told(target, self.second)
        command = ["pg_restore", "--no-owner", "--exit-on-error", address, str(target)]
        subprocess.run(command, env=self.password(target), check=True)
        return {**self.scaled, "DATABASE_URL": self.second}

    def told(self, target: Path, url: str) -> str:
        """The address without its password, which goes into a file."""
        parts = urlsplit(url)
        file = target.with_name("pgpass")
        file.touch(mode=0o600)
        file.write_text(f"{parts.hostname}:*:*:{parts.username}:{parts.password}\n")
        bare = f"{parts.username}@{parts.hostname}:{parts.port or 5432}"
        return f"--dbname={parts._replace(netloc=bare).geturl()}"

    def password(self, target: Path) -> dict[str, str]:
        """The environment that names the file of the password."""
        return {**os.environ, "PGPASSFILE": str(target.with_name("pgpass"))}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test starts, and is closed at its end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=ON_BOTH)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """SQLite, and PostgreSQL."""
    with ExitStack() as stack:
        yield Sqlite() if request.param == "sqlite" else Postgres(stack)


@contextmanager
def worker(server: LiveServer, folder: Path) -> Iterator[Worker | None]:
    """A worker beside a server that executes nothing itself."""
    if "RUNSITE_ENGINE" not in server.settings:
        yield None
        return
    folder.mkdir()
    settings = {name: value for name, value in server.settings.items() if name != "RUNSITE_PORT"}
    with Worker(folder, **settings) as started:
        yield started


async def all_of(api: Api, run: Wire) -> list[Wire]:
    """All that the API tells of a run and its thread."""
    thread = f"/threads/{run['thread_id']}"
    paths = [thread, f"{thread}/messages", f"{thread}/runs", path_of(run), f"{path_of(run)}/steps"]
    events = [event.data for event in await api.log(run)]
    return [*[await api.get(path) for path in paths], {"events": events}]


async def test_a_restored_backup_has_what_was_there_and_does_no_work_again(
    database: Database,
    mortal: Callable[..., Api],
    upstream: Upstream,
    tmp_path: Path,
    stack: ExitStack,
) -> None:
    """Every object reads as before; what was under way has failed and says why; the model was
    asked nothing; threads that were busy can be used."""
    api = mortal(RUNSITE_CONCURRENT_RUNS="10", **database.settings)
    stack.enter_context(worker(api.server, tmp_path / "worker"))
    ended = await api.wait(await api.run("text-20"), "completed")
    answered = await api.wait(await api.run("tools-1-then-text-2"), "requires_action")
    await api.answer(answered)
    answered = await api.wait(answered, "completed")
    waiting = await api.wait(await api.run("tools-2-then-text-2"), "requires_action")
    in_line = {"assistant_id": waiting["assistant_id"], "on_active_run": "queue"}
    queued = await api.post(f"/threads/{waiting['thread_id']}/runs", in_line)
    streaming = [await api.run("text-2000x20", f"stream {i}") for i in range(12)]
    reader = Reader(api, streaming[0])
    reading = asyncio.create_task(reader.attach())
    await until(lambda: len(reader.deltas) > 20)

    backup = tmp_path / "backup"
    await asyncio.to_thread(database.back_up, api.server, backup)
    before = [await all_of(api, run) for run in (ended, answered)]
    seen = len(reader.deltas)
    await until(lambda: len(reader.deltas) > seen)  # it goes on beside the backup
    stack.close()
    api.server.kill9()
    await reading
    asked = len(upstream.requests)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    second = await asyncio.to_thread(database.restore, backup, elsewhere)
    settle = {"data_dir": elsewhere, **second}
    await asyncio.sleep(2)  # the leases in the backup: docs/operations.md says so
    done = await asyncio.to_thread(manage, "after_restore", **settle)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Ended 14 unfinished runs;"), done.stdout

    server = LiveServer(elsewhere, RUNSITE_UPSTREAM_URL=upstream.url, **second)
    stack.callback(server.close)
    server.start()
    stack.enter_context(worker(server, tmp_path / "second worker"))
    async with Api(server) as restored:
        assert [await all_of(restored, run) for run in (ended, answered)] == before
        for status in STATUSES:
            assert (await restored.get(f"/runs?status={status}"))["data"] == []
        for run in (waiting, queued, *streaming):
            after = await restored.retrieve(run)
            assert after["status"] == "failed"
            assert after["last_error"]["code"] == "server_error"
            assert "restored from a backup" in after["last_error"]["message"]
            log = await restored.log(run)
            assert log[-1].name == "thread.run.failed"
        *_, message = await restored.messages(streaming[0])
        assert message["status"] == "incomplete"
        said = "".join(event.delta for event in reader.deltas)
        assert said.startswith(message["content"][0]["text"]["value"])
        await asyncio.sleep(2)  # four looks of the watchdog
        assert len(upstream.requests) == asked
        body = {"assistant_id": waiting["assistant_id"], "model": "text-3"}
        again = await restored.post(f"/threads/{waiting['thread_id']}/runs", body)
        await restored.wait(again, "completed")
