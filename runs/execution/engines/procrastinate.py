"""The engine of several processes: hints are Procrastinate jobs in the same PostgreSQL database.

A job says "drive run X" and nothing else. It is queued in the transaction that made the run
drivable, and lasts as long as its run is driven, so an executor that is full fetches none. If
a job is lost the watchdog queues another; if it comes twice the second finds nothing to do.
"""

import asyncio
import contextvars
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error, OperationalError, transaction
from procrastinate import App, exceptions
from procrastinate.contrib.django import app as django_app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.contrib.django.utils import connector_params
from procrastinate.jobs import Status
from procrastinate.psycopg_connector import PsycopgConnector

from runs.events.relay import relay
from runs.events.tasks import asked_to_end
from runs.execution.engines.executor import Executor
from runs.execution.engines.watch import Watch
from runs.execution.upstreams import Upstreams
from runs.execution.watchdog import Findings
from runs.models.database import in_database, in_writer, now

logger = logging.getLogger(__name__)

QUEUE = "runs"
TASK = "runsite.drive"

CONNECTIONS = 4  # of the pool that fetches and acknowledges jobs
POLL_SECONDS = 1.0  # NOTIFY comes first, unless a pooler in between swallows it
HEARTBEAT_SECONDS = 1.0
#: A worker that has not been heard of for so long is dead; its jobs are thrown away.
SILENCE = timedelta(seconds=10)
CLEAN_SECONDS = 5.0
#: Between two looks of a process that only serves: what is due expires without workers too.
SERVING_SECONDS = 2.0
RETRY_SECONDS = 1.0
STOP_SECONDS = 5.0


class ProcrastinateEngine:
    """Serving processes queue, workers execute."""

    def __init__(self) -> None:
        self.executor: Executor | None = None
        self.watch: Watch | None = None
        self.jobs: asyncio.Task[None] | None = None
        self.attending: asyncio.Task[None] | None = None
        self.unattended = False
        self.task = django_app.task(name=TASK, queue=QUEUE)(self.drive_job)

    @property
    def executing(self) -> bool:
        """Whether runs are executed in this process."""
        return self.executor is not None

    @property
    def running(self) -> bool:
        """Whether this process's parts are alive."""
        parts = (self.watch, self.executor)
        return self.watch is not None and all(part.alive for part in parts if part)

    def kick(self, run_id: str) -> None:
        """Queue a job in the caller's transaction; one that waits already is enough.

        Raises:
            OperationalError: the database is in trouble, told as Django tells it.
        """
        job = self.task.configure(queueing_lock=lock_of(run_id))
        try:
            with transaction.atomic():  # a refusal must not spoil the caller's transaction
                job.defer(run_id=run_id)
        except exceptions.AlreadyEnqueued:
            pass
        except exceptions.ConnectorException as fault:
            raise OperationalError("A job could not be queued") from fault

    def signal_cancel(self, run_id: str) -> None:
        """Have the run's driver look at its row once the transaction is committed."""
        transaction.on_commit(partial(self._stop_run, run_id))

    def _stop_run(self, run_id: str) -> None:
        if executor := self.executor:
            executor.call(executor.stop_run, run_id)
        relay.stop_run(run_id)

    async def start(self) -> None:
        """Expire what is due, and notice when nobody executes."""
        if self.watch is None:
            self.watch = Watch(self._leave, self._stop_run, SERVING_SECONDS)
            self.attending = self._task(self._attend())

    async def work(self, own: Upstreams | None = None) -> None:
        """Begin to execute, first of all what an earlier process left."""
        if self.watch is not None:
            return
        self.executor = Executor(own)
        await self.executor.start()
        relay.on_stop = self.executor.stop_run
        self.watch = Watch(self._hint, self._stop_run)
        self.jobs = self._task(self._take_jobs())

    async def stop(self, grace: float) -> None:
        """Fetch no more, give running turns ``grace`` seconds, then release them for others."""
        if self.watch is None:
            return
        await self.watch.stop()
        others = [task for task in (self.jobs, self.attending) if task]
        for task in others:
            task.cancel()
        if self.executor is not None:
            await self.executor.stop(grace)
        if others:
            await asyncio.wait(others, timeout=STOP_SECONDS)
        relay.on_stop = None
        self.executor = self.watch = self.jobs = self.attending = None

    def _task(self, work: Any) -> asyncio.Task[None]:
        return asyncio.create_task(work, context=contextvars.Context())

    async def drive_job(self, run_id: str) -> None:
        """The job. The driver is a task of its own: it goes on where a job is given up because
        the connection for jobs was lost."""
        if self.executor is not None:
            await asyncio.wait([self.executor.spawn(run_id)])

    async def _take_jobs(self) -> None:
        """Fetch and do jobs. Procrastinate's worker ends with the database: start it again."""
        while not asked_to_end():
            try:
                async with workers_app().open_async() as app, cleaning(app):
                    await app.run_worker_async(
                        queues=[QUEUE],
                        concurrency=settings.RUNSITE_CONCURRENT_RUNS,
                        fetch_job_polling_interval=POLL_SECONDS,
                        abort_job_polling_interval=POLL_SECONDS,
                        update_heartbeat_interval=HEARTBEAT_SECONDS,
                        stalled_worker_timeout=SILENCE.total_seconds(),
                        shutdown_graceful_timeout=0,  # the drivers get their time from us
                        delete_jobs="always",
                        install_signal_handlers=False,
                    )
            except Exception:
                logger.warning("No jobs can be fetched; trying again", exc_info=True)
            if not asked_to_end():
                await asyncio.sleep(RETRY_SECONDS)

    async def _hint(self, found: Findings) -> None:
        """Take over what a dead worker held, at once: readers wait for it. For what is queued see
        to it that there are jobs, which any worker with room may fetch."""
        if self.executor is None:
            return
        # Each worker in an order of its own, or they would try the same runs at the same time.
        for run_id in random.sample(found.silent, len(found.silent)):
            self.executor.spawn(run_id)
        if found.forgotten:
            await in_writer(self.kick_missing, found.forgotten)

    def kick_missing(self, run_ids: Sequence[str]) -> None:
        """Queue jobs for those of the runs that have none waiting. One database unit."""
        locks = {lock_of(run_id): run_id for run_id in run_ids}
        waiting = ProcrastinateJob.objects.filter(status="todo", queueing_lock__in=list(locks))
        for lock in locks.keys() - set(waiting.values_list("queueing_lock", flat=True)):
            self.kick(locks[lock])

    async def _leave(self, found: Findings) -> None:
        """A serving process leaves hints to the workers."""

    async def _attend(self) -> None:
        """Keep in mind whether anybody executes."""
        while True:
            with suppress(Error):
                self.unattended = not await in_database(workers)
            await asyncio.sleep(SERVING_SECONDS)


def lock_of(run_id: str) -> str:
    """What keeps a run from having two jobs that wait."""
    return f"run:{run_id}"


def workers() -> int:
    """How many executors were heard of lately."""
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=now() - SILENCE).count()


@asynccontextmanager
async def cleaning(app: App) -> AsyncIterator[None]:
    """Clean up after dead workers while inside the block."""
    task = asyncio.create_task(forget_dead(app))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def forget_dead(app: App) -> None:
    """Remove the jobs that dead workers held, and those workers, again and again. The runs are
    found by their leases."""
    manager = app.job_manager
    while not asked_to_end():
        try:
            for job in await manager.get_stalled_jobs(
                queue=QUEUE, seconds_since_heartbeat=SILENCE.total_seconds()
            ):
                if job.id is not None:
                    await manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
            await manager.prune_stalled_workers(SILENCE.total_seconds())
        except exceptions.ConnectorException:
            logger.warning("Jobs of dead workers could not be removed", exc_info=True)
        if not asked_to_end():
            await asyncio.sleep(CLEAN_SECONDS)


def workers_app() -> App:
    """Procrastinate with connections of its own: a job is fetched outside of any transaction."""
    connector = PsycopgConnector(
        kwargs=connector_params(), min_size=1, max_size=CONNECTIONS, timeout=5
    )
    return django_app.with_connector(connector)
