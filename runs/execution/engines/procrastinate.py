"""The engine of several processes: hints are Procrastinate jobs in the same PostgreSQL database.

A job says "drive run X" and nothing else. It is queued in the transaction that made the run
drivable, and lasts as long as its run is driven, so an executor that is full of such runs fetches
none; those that it took over have no job, and what is fetched beside them waits for room. If a job
is lost the watchdog queues another; if it comes twice the second finds nothing to do.
"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from procrastinate import App, exceptions
from procrastinate.connector import Notify
from procrastinate.contrib.django import app as django_app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.contrib.django.utils import connector_params
from procrastinate.jobs import Status
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker as JobWorker

from runs.events.relay import relay
from runs.events.tasks import for_ever
from runs.execution.engines.parts import Parts
from runs.execution.engines.presence import Presence
from runs.execution.engines.watch import Watch
from runs.execution.upstreams import Upstreams, upstreams
from runs.execution.watchdog import Findings
from runs.execution.worker import Worker
from runs.models.database import in_database, in_writer, now
from runsite.environment import RECONNECT_SECONDS

logger = logging.getLogger(__name__)

QUEUE = "runs"
TASK = "runsite.drive"

CONNECTIONS = 4  # of the pool that fetches and acknowledges jobs
POLL_SECONDS = 1.0  # NOTIFY comes first, unless a pooler in between swallows it
HEARTBEAT_SECONDS = 1.0
#: A worker that has not been heard of for so long is dead; its jobs are thrown away.
SILENCE = timedelta(seconds=10)
#: Its row is kept for longer: one that was frozen, and wakes up, could fetch no job without it.
FORGOTTEN = timedelta(days=1)
CLEAN_SECONDS = 5.0
#: Between two looks of a process that only serves: what is due expires without workers too.
SERVING_SECONDS = 2.0
RETRY_SECONDS = 1.0
STOP_SECONDS = 5.0

NO_JOBS = "No jobs can be fetched; trying again"
DEAF = "Jobs are found by polling only; trying to listen again"
UNCLEAN = "Jobs of dead workers could not be removed; trying again"
UNKNOWN = "The workers could not be counted; trying again"


class ProcrastinateEngine(Parts):
    """Serving processes queue, workers execute."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: asyncio.Task[None] | None = None
        self.attending: asyncio.Task[None] | None = None
        self.presence = Presence()
        self.unattended = False
        self.task = django_app.task(name=TASK, queue=QUEUE)(self.drive_job)

    @property
    def executing(self) -> bool:
        """Whether runs are executed in this process."""
        return self.executor is not None

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

    async def start(self) -> None:
        """Expire what is due, and notice when nobody executes."""
        if self.watch is None:
            self.watch = Watch(self._leave, self.stop_run, SERVING_SECONDS)
            self.attending = self._task(for_ever(self._attend, SERVING_SECONDS, UNKNOWN))

    async def work(self, own: Upstreams | None = None) -> None:
        """Begin to execute, and to fetch jobs."""
        if self.watch is None:
            await self.presence.start()
            worker = Worker(
                own or upstreams(), settings.RUNSITE_LEASE_SECONDS, self.presence.new_owner
            )
            await self.begin(self._hint, worker, self.presence.look)
            self.jobs = self._task(for_ever(self._take_jobs, RETRY_SECONDS, NO_JOBS))

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
        await self.presence.stop()
        relay.on_stop = None
        self.executor = self.watch = self.jobs = self.attending = None

    def _task(self, work: Any) -> asyncio.Task[None]:
        return asyncio.create_task(work, context=contextvars.Context())

    async def drive_job(self, run_id: str) -> None:
        """The job. The driver is a task of its own: it goes on where a job is given up because
        the connection for jobs was lost."""
        if job := asyncio.current_task():
            job.add_done_callback(acknowledged)
        if self.executor is not None:
            await asyncio.wait([self.executor.spawn(run_id)])

    async def _take_jobs(self) -> None:
        """Fetch and do jobs, until something ends Procrastinate's worker."""
        async with workers_app().open_async() as app:
            worker = JobWorker(
                app,
                queues=[QUEUE],
                concurrency=settings.RUNSITE_CONCURRENT_RUNS,
                fetch_job_polling_interval=POLL_SECONDS,
                abort_job_polling_interval=POLL_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=FORGOTTEN.total_seconds(),
                shutdown_graceful_timeout=0,  # the drivers get their time from us
                delete_jobs="always",
                install_signal_handlers=False,
            )
            async with cleaning(worker):
                await worker.run()  # type: ignore[no-untyped-call]

    async def _hint(self, found: Findings) -> None:
        """Take over what a dead worker held, at once: readers wait for it. For what is queued see
        to it that there are jobs, which any worker with room may fetch."""
        if self.executor is None:
            return
        self.executor.succeed(found)
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
        self.unattended = not await in_database(workers)


def lock_of(run_id: str) -> str:
    """What keeps a run from having two jobs that wait."""
    return f"run:{run_id}"


def workers() -> int:
    """How many executors were heard of lately."""
    return heard_of().count()


@asynccontextmanager
async def cleaning(worker: JobWorker) -> AsyncIterator[None]:
    """Clean up after dead workers while inside the block."""
    task = asyncio.create_task(for_ever(partial(clean, worker), CLEAN_SECONDS, UNCLEAN))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def clean(worker: JobWorker) -> None:
    """Remove the jobs that dead workers held, and in the end those workers. The runs are found by
    their leases. If ``worker`` itself seems to be dead, it ends: a beat of its heart that did not
    reach the database was its last."""
    manager = worker.app.job_manager
    for job in await manager.get_stalled_jobs(
        queue=QUEUE, seconds_since_heartbeat=SILENCE.total_seconds()
    ):
        if job.id is not None:
            with suppress(exceptions.ConnectorException):  # another worker was faster
                await manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
    await manager.prune_stalled_workers(FORGOTTEN.total_seconds())
    if await is_silent(worker):
        await asyncio.sleep(2 * HEARTBEAT_SECONDS)  # one that was frozen is heard of again
        if await is_silent(worker):
            logger.warning("This worker has not been heard of for too long; it begins anew")
            worker.stop()  # type: ignore[no-untyped-call]


async def is_silent(worker: JobWorker) -> bool:
    """Whether the other workers take it for dead."""
    return worker.worker_id is not None and not await in_writer(is_heard_of, worker.worker_id)


def heard_of() -> QuerySet[ProcrastinateWorker]:
    """The workers that were heard of lately."""
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=now() - SILENCE)


def is_heard_of(worker_id: int) -> bool:
    """Whether a worker was heard of lately."""
    return heard_of().filter(id=worker_id).exists()


class Listener(PsycopgConnector):
    """Listens to PostgreSQL through its restarts. Procrastinate's own gives up when it cannot
    connect at once, and jobs would be found by polling only from then on."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Call ``on_notification`` for whatever comes in ``channels``, until cancelled."""
        await for_ever(
            partial(super().listen_notify, on_notification, channels), RETRY_SECONDS, DEAF
        )


def acknowledged(job: asyncio.Task[Any]) -> None:
    """Take note of a job that could not be acknowledged, mostly because it was thrown away while
    this worker was frozen. Nothing depends on it."""
    if not job.cancelled() and (fault := job.exception()):
        why = str(fault.__cause__ or fault)
        logger.warning("A job could not be acknowledged", extra={"why": why})


def workers_app() -> App:
    """Procrastinate with connections of its own: a job is fetched outside of any transaction."""
    connector = Listener(
        kwargs=connector_params(),
        min_size=0,  # or it would wait half a minute for the first one before anybody asks
        max_size=CONNECTIONS,
        timeout=5,
        reconnect_timeout=RECONNECT_SECONDS,
    )
    return django_app.with_connector(connector)
