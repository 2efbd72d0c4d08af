"""Real processes that together are one site: several with PostgreSQL and Redis, or one alone."""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from tests.chaos.services import Postgres, Redis
from tests.live import READY_SECONDS, LiveServer
from tests.process.client import Api, Reader, Wire

LEASE_SECONDS = 2  # of all processes, unless a test says otherwise
#: How long a run may stand still once its driver is gone: until its lease has run out, a look
#: of the watchdog, a claim. On a machine that is busy with the rest of the suite.
TAKEOVER_SECONDS = LEASE_SECONDS + 4
WORKER_READY = "The worker is ready."
#: What a log has of what nobody has foreseen; the second is logged where a driver is at fault.
FAULTS = ("Traceback", "driver ended by a fault")
DEFAULTS = {"RUNSITE_LEASE_SECONDS": str(LEASE_SECONDS), "RUNSITE_DRAIN_SECONDS": "1"}


class Web(LiveServer):
    """A process that serves and drives no run."""


class Worker(Web):
    """An executor: a process that drives runs and serves nothing."""

    command = (sys.executable, "manage.py", "worker")
    said_before = 0

    def start(self, *, wait: bool = True) -> Self:
        """Start it and wait until it executes."""
        self.said_before = self.log.count(WORKER_READY)
        return super().start(wait=wait)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it says so."""
        deadline = time.monotonic() + seconds
        while self.log.count(WORKER_READY) == self.said_before:
            assert self.running, f"the worker ended\n{self.log}"
            assert time.monotonic() < deadline, f"not ready after {seconds} s\n{self.log}"
            time.sleep(0.05)


class Site:
    """Processes on one database, and what a test does with them.

    ``webs`` serve, ``workers`` drive runs; in a site of one process they are the same one.
    """

    mode: str  # "embedded" or "scaled"

    def __init__(self, webs: list[LiveServer], workers: list[LiveServer]):
        self.webs = webs
        self.workers = workers
        self.apis: dict[int, Api] = {}

    @property
    def processes(self) -> list[LiveServer]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.webs, *self.workers]))

    @property
    def log(self) -> str:
        """What all of them have logged."""
        return "".join(process.log for process in self.processes)

    def told(self) -> dict[LiveServer, int]:
        """How much each process has logged by now: for those who ask what came after it."""
        return {process: len(process.log) for process in self.processes}

    def assert_sound(self, told: dict[LiveServer, int]) -> None:
        """No process has logged a fault since it had logged what was ``told``."""
        found = [
            f"{process.command[-1]} {process.port}: {line}"
            for process, begins in told.items()
            for line in process.log[begins:].splitlines()
            if any(fault in line for fault in FAULTS)
        ]
        assert not found, "\n\n".join(found).replace("\\n", "\n")

    def api(self, i: int = 0) -> Api:
        """The API of one web process, the same object during one test."""
        if i not in self.apis:
            self.apis[i] = Api(self.webs[i])
        return self.apis[i]

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement on the site's database; ``%s`` stands for a value."""
        raise NotImplementedError

    def row(self, run: Wire) -> dict[str, Any]:
        """The run's row."""
        (row,) = self.query("SELECT * FROM runs_run WHERE id = %s", run["id"])
        return row

    def claims(self, run: Wire) -> list[tuple[int, LiveServer]]:
        """Who has claimed the run, by its epoch, the first claim first."""
        found = [
            (int(json.loads(line)["epoch"]), worker)
            for worker in self.workers
            for line in worker.log.splitlines()
            if '"run claimed"' in line and run["id"] in line
        ]
        return sorted(found, key=lambda claim: claim[0])

    async def worker_of(self, run: Wire, seconds: float = 10.0) -> LiveServer:
        """The process that drives the run, or drove it last; waits for the first claim."""
        deadline = time.monotonic() + seconds
        while not (claims := self.claims(run)):
            assert time.monotonic() < deadline, "nobody has claimed the run"
            await asyncio.sleep(0.01)
        return claims[-1][1]

    def others(self, worker: LiveServer) -> list[LiveServer]:
        """The workers but this one."""
        return [other for other in self.workers if other is not worker]

    async def succeed(self, worker: LiveServer) -> None:
        """See to it that somebody can take over what a killed process has left."""
        if not self.others(worker):
            await asyncio.to_thread(worker.start)

    async def rest(self) -> None:
        """After a test: close its connections, and have all processes alive and ready again."""
        for api in self.apis.values():
            await api.http.aclose()
        self.apis.clear()
        await asyncio.to_thread(self.heal)

    def heal(self) -> None:
        """Wake who is paused and start who is dead."""
        for process in self.processes:
            if process.running:
                process.resume()
        start_all([process for process in self.processes if not process.running])


class Embedded(Site):
    """One process with SQLite that does it all."""

    mode = "embedded"

    def __init__(self, stack: ExitStack, **settings: str):
        server = LiveServer(**(DEFAULTS | settings))
        stack.callback(server.close)
        super().__init__([server], [server])
        self.database = server.data_dir / "runsite.sqlite3"
        start_all([server])

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement on the file."""
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(sql.replace("%s", "?"), values).fetchall()
        return [dict(row) for row in found]


class Cluster(Site):
    """Web processes and workers on one database and a Redis of their own.

    Args:
        postgres: where the database is. A test that stops it (``cluster.postgres.stop()``)
            stops it for all clusters.
        database: the address of an empty, migrated database on it.
        redis: by default a new one; ``cluster.redis.stop()`` and ``start()``.
        settings: of all processes, as environment variables.
    """

    mode = "scaled"

    def __init__(
        self,
        stack: ExitStack,
        postgres: Postgres,
        database: str,
        *,
        webs: int = 2,
        workers: int = 2,
        redis: Redis | None = None,
        **settings: str,
    ):
        self.postgres = postgres
        self.database = database
        self.redis = redis or stack.enter_context(Redis())
        self.settings = DEFAULTS | {
            "DATABASE_URL": database,
            "REDIS_URL": self.redis.url,
            "RUNSITE_ENGINE": "procrastinate",
            "RUNSITE_SECRET_KEY": "one secret of all processes, 0123456789abcdef0123456789",
            **settings,
        }
        super().__init__([], [])
        self.stack = stack
        for kind in [Web] * webs + [Worker] * workers:
            self.add(kind)
        start_all(self.processes)

    def add(self, kind: type[Web], **settings: str) -> LiveServer:
        """Another process, with settings of its own; not started yet."""
        process = kind(**(self.settings | settings))
        self.stack.callback(process.close)
        self.group(kind).append(process)
        return process

    def group(self, kind: type[Web]) -> list[LiveServer]:
        """Those of the processes that are of a kind."""
        return self.workers if issubclass(kind, Worker) else self.webs

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement on the database, if it has any."""
        with psycopg.connect(self.database, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def jobs(self, run: Wire) -> list[dict[str, Any]]:
        """The run's jobs that wait or are being done."""
        return self.query("SELECT * FROM procrastinate_jobs WHERE args->>'run_id' = %s", run["id"])

    @contextmanager
    def holding(self, sql: str, *values: Any) -> Iterator[None]:
        """Keep the locks that a statement takes while inside the block."""
        with psycopg.connect(self.database) as connection:
            connection.execute(sql.encode(), values or None)
            yield
            connection.rollback()

    def idle_transactions(self) -> list[dict[str, Any]]:
        """The open transactions in which nothing happens at this moment."""
        return self.query(
            "SELECT pid, xact_start FROM pg_stat_activity "
            "WHERE datname = current_database() AND state = 'idle in transaction'"
        )

    async def freeze(self, worker: LiveServer) -> None:
        """Pause a process between two of its transactions."""
        while True:
            worker.pause()
            before = self.idle_transactions()
            await asyncio.sleep(0.1)
            if not [found for found in self.idle_transactions() if found in before]:
                return
            worker.resume()
            await asyncio.sleep(0.05)

    @contextmanager
    def guest(self, kind: type[Web], **settings: str) -> Iterator[LiveServer]:
        """One more process while inside the block, with settings of its own."""
        process = self.add(kind, **settings)
        try:
            yield process.start()
        finally:
            self.group(kind).remove(process)
            process.close()

    def heal(self) -> None:
        """Have PostgreSQL and Redis running first."""
        for service in (self.postgres, self.redis):
            service.start()
            service.resume()
        super().heal()


def start_all(processes: list[LiveServer]) -> None:
    """Start them at the same time and wait until all are ready."""
    for process in processes:
        process.start(wait=False)
    for process in processes:
        process.wait_ready()


async def read_through(reader: Reader, query: str = "") -> int:
    """Attach until the stream has ended as it should; returns how often that took."""
    times = 1
    while not await reader.attach(query):
        times += 1
        await asyncio.sleep(0.1)
    return times
