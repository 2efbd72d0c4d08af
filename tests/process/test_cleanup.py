"""Thousands of threads erased beside running ones, and after a ``kill -9`` of the eraser."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.filled import FULL
from tests.live import ROOT, LiveServer, environment, manage, postgres_database, template
from tests.process.client import Api, Reader, text_of, until
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = pytest.mark.process

FIRST, DOUBLED = 125, 4  # two thousand threads
MANY = FIRST * 2**DOUBLED
ON_BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]
MODEL = "text-100x20"
STREAMS = 6

FILL = (
    "from runs.models import Project; from tests.filled import fill;"
    " fill(Project.objects.create(name='old'), {}, {})"
)
#: What is left of the project; rows that refer to nothing; and all rows, for a comparison.
LOOK = """
import json
from runs.models import Cleanup, IdempotencyKey, Run, Thread
from runs.operations.leftovers import parentless
from tests.filled import rows_by_table
old = {"project__name": "old"}
print(json.dumps({
    "old": [model.objects.filter(**old).count() for model in (Thread, Run, IdempotencyKey)],
    "parentless": parentless(),
    "rows": rows_by_table(),
    "logs": Run.objects.filter(compacted_at=None).count(),
    "done": list(Cleanup.objects.values_list("done", flat=True)),
}))
"""


@pytest.fixture(params=ON_BOTH)
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a database: a file of its own, or a new PostgreSQL one."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield {}
        else:
            url = postgres_database(os.environ["DATABASE_URL"])
            yield {"DATABASE_URL": stack.enter_context(url)}


def shell(code: str, data_dir: Path, **settings: str) -> str:
    """What a piece of Python prints beside the server."""
    done = manage("shell", "--no-imports", "-c", code, data_dir=data_dir, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def look(data_dir: Path, **settings: str) -> dict[str, Any]:
    """What is in the database."""
    found: dict[str, Any] = json.loads(shell(LOOK, data_dir, **settings))
    return found


def erasing(data_dir: Path, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
    """``manage.py erase`` under way, in a process of its own."""
    return cleaning(data_dir, "erase", *arguments, **settings)


def cleaning(data_dir: Path, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
    """A command under way, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_two_thousand_threads_go_while_runs_stream(
    upstream: Upstream, database: dict[str, str]
) -> None:
    with LiveServer(RUNSITE_UPSTREAM_URL=upstream.url, **database) as server:
        shell(FILL.format(FIRST, DOUBLED), server.data_dir, **database)
        dry = manage(
            "erase", "--project", "old", "--dry-run", "--json", data_dir=server.data_dir, **database
        )
        figures = json.loads(dry.stdout)["rows"]
        assert figures == {name: count * MANY for name, count in FULL.items()}
        async with Api(server) as api:
            before = await stream_for(api, seconds=4)
            process = erasing(server.data_dir, "--project", "old", "--json", **database)
            beside = await stream_for(api, until_ended=process)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert json.loads(out)["rows"] == figures
        left = look(server.data_dir, **database)
    assert left["old"] == [0, 0, 0]
    assert left["parentless"] == 0
    assert len(beside) >= STREAMS
    # Created beside the eraser about as fast as without it; a busy machine has its own ideas.
    assert middle(beside) < 3 * middle(before) + 0.25, (before, beside)


async def test_readers_are_told_that_a_run_is_cancelled_with_its_thread(
    upstream: Upstream,
) -> None:
    """By an eraser in another process, who leaves them time to read it."""
    with LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        async with Api(server) as api:
            run = await api.run("text-2000x20")
            reader = Reader(api, run)
            reading = asyncio.create_task(reader.attach())
            await until(lambda: len(reader.deltas) > 5)
            kept = manage("erase", run["thread_id"], "--json", data_dir=server.data_dir)
            assert json.loads(kept.stdout)["kept"] == 1
            process = erasing(server.data_dir, run["thread_id"], "--cancel", "--json")
            assert await reading
            assert reader.names[-2:] == ["thread.run.step.cancelled", "thread.run.cancelled"]
            out, err = await asyncio.to_thread(process.communicate)
            assert json.loads(out)["rows"]["threads"] == 1, err
            answer = await api.http.get(f"/threads/{run['thread_id']}")
            assert answer.status_code == 404


async def stream_for(
    api: Api, *, seconds: float = 0.0, until_ended: "subprocess.Popen[str] | None" = None
) -> list[float]:
    """Create and read runs, several at once, for so long; each must be whole. The seconds that
    the creates took."""
    began = time.monotonic()
    taken: list[float] = []

    def going() -> bool:
        if until_ended is not None:
            return until_ended.poll() is None
        return time.monotonic() - began < seconds

    async def one_after_another() -> None:
        while going() or not taken:
            asked = time.monotonic()
            run = await api.run(MODEL)
            taken.append(time.monotonic() - asked)
            reader = Reader(api, run)
            assert await reader.attach()
            assert reader.names[-1] == "thread.run.completed"
            assert "".join(event.delta for event in reader.deltas) == expected_text(MODEL)
            (message,) = await api.messages(run)
            assert text_of(message) == expected_text(MODEL)

    async with asyncio.TaskGroup() as group:
        for _ in range(STREAMS):
            group.create_task(one_after_another())
    return taken


def middle(values: list[float]) -> float:
    """The median."""
    return sorted(values)[len(values) // 2]


@dataclass(frozen=True, slots=True)
class Copy:
    """One of two databases that are alike, and the data directory beside it."""

    data_dir: Path
    settings: dict[str, str]

    def look(self) -> dict[str, Any]:
        """What is in the database."""
        return look(self.data_dir, **self.settings)

    def count(self, rows: str) -> int:
        """How many rows there are, found out quickly."""
        ask = f"SELECT COUNT(*) FROM {rows}"
        if url := self.settings.get("DATABASE_URL"):
            with psycopg.connect(url) as postgres:
                return int(postgres.execute(ask).fetchone()[0])  # type: ignore[index]
        return count_in(self.data_dir, ask)


@pytest.fixture
def copies(database: dict[str, str], tmp_path: Path) -> Iterator[tuple[Copy, Copy]]:
    """A database with a thousand threads, twice."""
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(template(), first)
    shell(FILL.format(FIRST, DOUBLED - 1), first, **database)
    shutil.copytree(first, second)
    if not database:
        yield Copy(first, {}), Copy(second, {})
        return
    name = urlsplit(database["DATABASE_URL"]).path[1:]
    with postgres_database(os.environ["DATABASE_URL"], copy_of=name) as other:
        yield Copy(first, database), Copy(second, {"DATABASE_URL": other})


@pytest.mark.parametrize(
    ("command", "rows", "kind"),
    [
        (["erase"], "runs_thread", "threads"),
        (["prune", "--logs", "0"], "runs_run WHERE compacted_at IS NULL", "runs"),
    ],
    ids=["erase", "compact"],
)
def test_a_cleanup_that_is_killed_is_taken_up_to_the_same_end(
    copies: tuple[Copy, Copy], command: list[str], rows: str, kind: str
) -> None:
    """In one copy nothing happens to whoever works it off, in the other they die."""
    first, second = copies
    command = [*command, "--project", "old"]
    many = first.count(rows)
    process = cleaning(first.data_dir, *command, **first.settings)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert first.count(rows) == 0
    whole = first.look()
    (done,) = whole["done"]
    assert done[kind] == many

    process = cleaning(second.data_dir, *command, **second.settings)
    assert process.stderr is not None
    cleanup = process.stderr.readline().split()[-1]
    deadline = time.monotonic() + 60
    while second.count(rows) == many:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    torn = second.look()
    left = second.count(rows)
    assert 0 < left < many
    assert torn["parentless"] == 0
    assert torn["done"][0][kind] == many - left

    while True:  # until the dead one's lease has run out
        resume = ("erase", "--resume", cleanup, "--json")
        resumed = manage(*resume, data_dir=second.data_dir, **second.settings)
        if resumed.returncode == 0:
            break
        assert "being worked on" in resumed.stderr
        assert time.monotonic() < deadline + 60
        time.sleep(0.5)
    assert json.loads(resumed.stdout)["standing"] == "done"
    assert second.look() == whole


def count_in(data_dir: Path, ask: str = "SELECT COUNT(*) FROM runs_thread") -> int:
    """How many threads, or other rows, an SQLite file has."""
    with closing(sqlite3.connect(data_dir / "runsite.sqlite3", timeout=10)) as connection:
        return int(connection.execute(ask).fetchone()[0])
