"""In which order a process begins its runs."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from django.utils import timezone

from runs.execution.engines import executor as executors
from runs.execution.engines.executor import BEGINNERS, Executor
from runs.execution.engines.lanes import Lane
from runs.execution.watchdog import Findings
from runs.models import Run
from runs.models.database import in_database
from tests.execution.scene import PAST, later, until
from tests.factories import make_thread

SECONDS = 20


def free(lane):
    """How many places the lane has for whoever comes."""
    return lane.places._value


async def test_a_place_is_given_back_once():
    lane = Lane(2)
    async with lane.place() as begun:
        assert free(lane) == 1
        begun()
        assert free(lane) == 2
        begun()
    assert free(lane) == 2
    with pytest.raises(ZeroDivisionError):
        async with lane.place():
            raise ZeroDivisionError
    assert free(lane) == 2


async def test_whoever_waits_for_a_place_can_be_cancelled():
    lane = Lane(1)
    async with lane.place():
        waiting = asyncio.create_task(lane.place().__aenter__())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert free(lane) == 1


async def test_a_place_may_be_for_a_time():
    lane = Lane(1, seconds=0.05)
    async with lane.place() as begun:
        begun()
        assert free(lane) == 0
        async with asyncio.timeout(SECONDS), lane.place():
            assert free(lane) == 0
        assert free(lane) == 1
    assert free(lane) == 1
    async with lane.place() as begun:
        begun()
    assert free(lane) == 1
    await asyncio.sleep(0.1)
    assert free(lane) == 1


async def test_the_time_of_a_place_begins_when_whoever_has_it_has_begun():
    lane = Lane(1, seconds=0.01)
    async with lane.place():
        await asyncio.sleep(0.1)
        assert free(lane) == 0


@pytest.mark.slow
async def test_many_have_their_places_for_less():
    lane = Lane(1, seconds=3600, together=1.0)

    async def have_it():
        async with lane.place() as begun:
            begun()
            await asyncio.sleep(SECONDS)

    tasks = [asyncio.create_task(have_it()) for _ in range(50)]
    begun_at = asyncio.get_running_loop().time()
    await until(lambda: lane.waiting > 1)
    await until(lambda: lane.waiting == 0)
    assert 0.5 < asyncio.get_running_loop().time() - begun_at < 4
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert free(lane) == 1


@asynccontextmanager
async def executing(scene):
    """An executor of the scene's model; what it drives ends with the block."""
    async with scene.working() as worker, asyncio.timeout(SECONDS):
        executor = Executor(worker)
        yield executor
        for task in executor.tasks:
            task.cancel()
        await asyncio.gather(*executor.tasks, return_exceptions=True)


def found(silent=(), suspects=()):
    return Findings([run.id for run in silent], [run.id for run in suspects], [], {}, [])


def runs_of(scene, *models, lost=False):
    """New runs, or such whose drivers have gone silent."""
    runs = [scene.create(model, thread=make_thread(scene.project)) for model in models]
    if lost:
        at = timezone.now()
        lease = {"status": "in_progress", "started_at": at, "lease_until": at - PAST}
        Run.objects.filter(id__in=[run.id for run in runs]).update(**lease)
    return runs


async def status(run):
    return (await later(run)).status


async def test_whoever_takes_over_does_not_wait_behind_those_who_begin(scene):
    (fresh,) = await in_database(runs_of, scene, "text-5")
    (lost,) = await in_database(lambda: runs_of(scene, "text-5", lost=True))
    async with executing(scene) as executor, AsyncExitStack() as places:
        for _ in range(BEGINNERS):
            await places.enter_async_context(executor.beginners.place())
        beginning = executor.spawn(fresh.id)
        executor.succeed(found(silent=[lost]))
        while await status(lost) != "completed":
            await asyncio.sleep(0.01)
        assert await status(fresh) == "queued"
        await places.aclose()
        await beginning
        assert await status(fresh) == "completed"


async def test_runs_that_wait_for_their_models_keep_nobody_from_beginning(scene):
    models = ["silent"] * 2 * BEGINNERS + ["status-400", "tools-1"]
    runs = await in_database(runs_of, scene, *models)
    async with executing(scene) as executor:
        for run in runs:
            executor.spawn(run.id)
        await until(lambda: len(scene.upstream.requests) == len(runs))
        stale = executor.spawn(runs[0].id)
        await stale
        await until(lambda: free(executor.beginners) == BEGINNERS)


async def test_of_many_hints_while_a_run_waits_one_is_enough(scene):
    (lost,) = await in_database(lambda: runs_of(scene, "text-5", lost=True))
    async with executing(scene) as executor, AsyncExitStack() as places:
        for _ in range(BEGINNERS):
            await places.enter_async_context(executor.successors.place())
        for _ in range(50):
            executor.succeed(found(silent=[lost]))
            await asyncio.sleep(0)
        (task,) = executor.tasks
        await places.aclose()
        await task
        assert await status(lost) == "completed"


@pytest.mark.slow
async def test_suspects_come_one_after_the_other(scene, monkeypatch):
    """The next when the one before has ended, or has lived for a while; all others pass them."""
    monkeypatch.setattr(executors, "SUSPECT_SECONDS", 1.0)
    models = ["silent", "text-5", "silent", "silent"]
    runs = await in_database(lambda: runs_of(scene, *models, lost=True))
    (other,) = await in_database(lambda: runs_of(scene, "text-5", lost=True))
    async with executing(scene) as executor:
        executor.succeed(found(suspects=runs, silent=[other]))
        await until(lambda: len(scene.upstream.requests) == 2)
        begun_at = asyncio.get_running_loop().time()
        assert executor.suspects.places.locked()
        await until(lambda: len(scene.upstream.requests) == 4)
        assert asyncio.get_running_loop().time() - begun_at > 0.5
        while await status(runs[1]) != "completed":
            await asyncio.sleep(0.01)
        await until(lambda: len(scene.upstream.requests) == 5)
        assert await status(other) == "completed"
        assert asyncio.get_running_loop().time() - begun_at > 1.5


async def test_a_suspect_that_is_cancelled_while_it_waits_ends_at_once(scene):
    """It is found among the silent ones then."""
    (run,) = await in_database(lambda: runs_of(scene, "text-5", lost=True))
    async with executing(scene) as executor, executor.suspects.place():
        executor.succeed(found(suspects=[run]))
        await in_database(lambda: Run.objects.filter(id=run.id).update(status="cancelling"))
        executor.succeed(found(silent=[run]))
        while await status(run) != "cancelled":
            await asyncio.sleep(0.01)
