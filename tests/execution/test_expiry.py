"""Expiring, wherever the run is, and by which clock."""

import asyncio

import pytest
from django.utils import timezone

from runs.contract.limits import NUMBER_JUMP
from runs.contract.status import RunStatus
from runs.execution import watchdog
from runs.models import Run
from runs.models.database import in_database, in_writer
from tests.execution.scene import LONG, PAST, Reader, again, check_sane, data_of, story, until
from tests.factories import make_run


def expire_soon(run):
    Run.objects.filter(id=run.id).update(expires_at=timezone.now() - PAST)


def look(**options):
    return asyncio.run(in_writer(watchdog.look, **options))


@pytest.mark.parametrize("model", [None, "tools-1"], ids=["queued", "requires_action"])
def test_a_run_that_nobody_drives_expires(scene, model):
    run = scene.create(model or "text-1")
    if model:
        run = scene.drive(run)
    before = story(run)
    expire_soon(run)
    found = look()
    assert list(found.expired) == [run.id]
    tail = "step.expired run.expired" if model else "run.expired"
    assert story(run) == f"{before} {tail}"
    run = again(run)
    assert (run.status, run.last_error) == ("expired", None)
    assert run.expired_at is not None
    assert look().expired == {}
    check_sane(run)


async def test_a_run_expires_in_mid_stream(scene):
    async with scene.serving():
        run = await in_database(scene.create, LONG)
        reader = Reader(run)
        await until(lambda: reader.deltas() >= 5)
        await in_database(expire_soon, run)
        await reader.end()
        await until(lambda: scene.upstream.requests[0].closed_at)
        await until(lambda: not scene_drivers())
    assert reader.names[-3:] == ["message.incomplete", "run.step.expired", "run.expired"]

    def check():
        assert again(run).status == "expired"
        assert data_of(run, "thread.message.incomplete")[0]["incomplete_details"] == {
            "reason": "run_expired"
        }
        assert again(run).last_number > NUMBER_JUMP
        check_sane(run)

    await in_database(check)


def scene_drivers():
    from runs.execution import engines

    return engines.current().executor.worker.drivers


def test_one_that_cannot_expire_keeps_no_other_run_from_it(scene, caplog):
    broken, other = make_run(), make_run()
    for run in (broken, other):
        expire_soon(run)
    Run.objects.filter(id=broken.id).update(usage=["by hand"])
    found = look()
    assert list(found.expired) == [other.id]
    assert found.forgotten == []
    assert again(broken).status == "queued"
    assert "a run could not expire" in caplog.text


def test_what_is_being_cancelled_does_not_expire(scene):
    run = make_run(status=RunStatus.CANCELLING)
    expire_soon(run)
    assert look().expired == {}


def test_a_clock_of_its_own_for_the_wait(scene, settings):
    settings.RUNSITE_ACTION_LIFETIME = 3600
    run = scene.create("tools-1-then-text-1")
    created_until = run.expires_at
    run = scene.drive(run)
    wait = (run.expires_at - timezone.now()).total_seconds()
    assert 3590 < wait <= 3600
    assert data_of(run, "thread.run.requires_action")[0]["expires_at"] == int(
        run.expires_at.timestamp()
    )
    run = scene.submit(run, "ok")
    assert run.paused_seconds is None
    assert abs((run.expires_at - created_until).total_seconds()) < 5


def test_the_wait_runs_on_the_runs_own_clock_without_one(scene):
    run = scene.create("tools-1-then-text-1")
    assert scene.drive(run).expires_at == again(run).expires_at == run.expires_at
    assert scene.submit(run, "ok").expires_at == run.expires_at
