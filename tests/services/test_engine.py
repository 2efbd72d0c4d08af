"""The engine of several processes: its jobs, and the workers that do them."""

import asyncio
import gc
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from runs import operations
from runs.contract.status import RunStatus
from runs.execution import engines
from runs.models import Run
from runs.models.database import in_database
from runs.operations.access import default_project
from tests.api.executing import MODEL, executing, forget_jobs
from tests.factories import make_assistant, make_run, make_thread

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project(transactional_db):
    return default_project()


@pytest.fixture(autouse=True)
def no_jobs(transactional_db):
    forget_jobs()


# Procrastinate's models can be imported only where its app is installed.
@pytest.fixture
def procrastinate():
    """The module of the engine."""
    return import_module("runs.execution.engines.procrastinate")


def jobs(run=None):
    rows = apps.get_model("procrastinate", "ProcrastinateJob").objects.all()
    return rows.filter(queueing_lock=f"run:{run.id}") if run else rows


def queued(project):
    return make_run(make_thread(project), RunStatus.QUEUED, model=MODEL)


def test_a_create_that_is_rolled_back_leaves_neither_run_nor_job(project):
    """8.7: the job is queued in the transaction of the run."""
    assistant, thread = make_assistant(project), make_thread(project)
    with transaction.atomic():
        operations.create_run(thread, {"assistant_id": assistant.id})
        assert jobs().count() == 1
        transaction.set_rollback(True)
    assert not jobs().exists()
    assert not Run.objects.exists()


def test_a_run_has_one_job_that_waits_however_often_it_is_kicked(project):
    run = queued(project)
    with transaction.atomic():
        for _ in range(50):
            engines.current().kick(run.id)
        assert Run.objects.filter(id=run.id).exists()  # the transaction is still good
    assert jobs(run).count() == 1


def test_the_watchdog_queues_only_what_has_no_job(project):
    one, two = queued(project), queued(project)
    engines.current().kick(one.id)
    before = jobs(one).get().id
    engines.current().kick_missing([one.id, two.id])
    assert jobs(one).get().id == before
    assert jobs(two).count() == 1


async def test_jobs_are_gone_once_they_are_done(project):
    run = await in_database(queued, project)
    async with executing():
        await in_database(engines.current().kick, run.id)
        while await in_database(jobs().exists):
            await asyncio.sleep(0.02)
        await in_database(run.refresh_from_db)
    assert run.status == RunStatus.COMPLETED


async def test_a_worker_is_heard_of_while_it_works(project, procrastinate):
    async with executing():
        async with asyncio.timeout(10):
            while not await in_database(procrastinate.workers):
                await asyncio.sleep(0.02)
    assert not await in_database(procrastinate.workers)  # it has signed off


async def test_jobs_of_a_dead_worker_are_removed(project, procrastinate, monkeypatch):
    """What a worker held that was killed: it is silent, and its job stays as it is. Its row is
    there until nobody expects it to wake up."""
    monkeypatch.setattr(procrastinate, "CLEAN_SECONDS", 0.1)

    def leave_behind(silence):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) "
                "VALUES (now() - %s::interval) RETURNING id",
                [silence],
            )
            (worker,) = cursor.fetchone()
            cursor.execute(
                "INSERT INTO procrastinate_jobs "
                "(queue_name, task_name, status, worker_id, args, queueing_lock) "
                "VALUES ('runs', 'runsite.drive', 'doing', %s, '{}', 'run:gone')",
                [worker],
            )
        return worker

    rows = apps.get_model("procrastinate", "ProcrastinateWorker").objects
    silent = await in_database(leave_behind, "1 minute")
    given_up = await in_database(leave_behind, "2 days")
    async with executing(), asyncio.timeout(10):
        while await in_database(jobs().exists):
            await asyncio.sleep(0.05)
        while await in_database(rows.filter(id=given_up).exists):
            await asyncio.sleep(0.05)
        assert await in_database(rows.filter(id=silent).exists)


async def test_a_job_that_others_have_thrown_away_is_told_in_a_line(
    project, caplog: pytest.LogCaptureFixture
):
    """They took this worker for dead, while it was frozen."""

    def ask():
        assistant = make_assistant(project, model=MODEL, instructions="")
        message = {"role": "user", "content": "#delay 20\nHello"}
        fields = {"assistant_id": assistant.id, "additional_messages": [message]}
        return operations.create_run(make_thread(project), fields)

    async with executing(), asyncio.timeout(20):
        run = await in_database(ask)
        while not await in_database(jobs(run).filter(status="doing").exists):
            await asyncio.sleep(0.02)
        await in_database(forget_jobs)
        while run.status != RunStatus.COMPLETED:
            await asyncio.sleep(0.02)
            await in_database(run.refresh_from_db)
    gc.collect()  # asyncio complains of a fault that nobody looked at when its task is forgotten
    (record,) = [record for record in caplog.records if record.exc_info or "job" in record.msg]
    assert record.msg == "A job could not be acknowledged"
    assert "not found" in record.why


async def test_a_full_worker_leaves_runs_to_others(project, settings):
    """A job is fetched only where there is room to drive its run."""
    settings.RUNSITE_CONCURRENT_RUNS = 1

    def ask():
        thread = make_thread(project)
        assistant = make_assistant(project, model=MODEL, instructions="")
        message = {"role": "user", "content": "#delay 3000\nHello"}
        fields = {"assistant_id": assistant.id, "additional_messages": [message]}
        return operations.create_run(thread, fields)

    async with executing(), asyncio.timeout(20):
        first = await in_database(ask)
        while (await in_database(Run.objects.get, id=first.id)).status == RunStatus.QUEUED:
            await asyncio.sleep(0.02)
        second = await in_database(ask)
        await asyncio.sleep(1)
        assert (await in_database(jobs(second).get)).status == "todo"
        assert (await in_database(Run.objects.get, id=second.id)).status == RunStatus.QUEUED


@pytest.fixture
def operator(project):
    client = Client(headers={"accept": "text/html"})
    client.force_login(User.objects.create_superuser("admin"))
    return client


def test_jobs_can_be_seen_in_the_admin(project, operator):
    run = queued(project)
    engines.current().kick(run.id)
    page = operator.get("/admin/procrastinate/procrastinatejob/")
    assert page.status_code == 200
    assert run.id in page.content.decode()


def test_every_page_says_when_no_worker_is_there(project, operator, monkeypatch):
    told = "No worker is running"
    assert told not in operator.get("/console/runs/").content.decode()
    monkeypatch.setattr(engines.current(), "unattended", True)
    assert told in operator.get("/console/runs/").content.decode()


async def test_a_serving_process_notices_that_the_workers_are_gone(
    project, procrastinate, monkeypatch
):
    monkeypatch.setattr(procrastinate, "SERVING_SECONDS", 0.05)
    engine = engines.current()
    await engine.start()
    try:
        assert engine.running
        assert not engine.executing
        async with asyncio.timeout(10):
            while not engine.unattended:
                await asyncio.sleep(0.02)
    finally:
        await engine.stop(0)
        engine.unattended = False
