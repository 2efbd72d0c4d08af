"""Tasks that live as long as their process."""

import asyncio
from contextlib import suppress

import pytest

from runs.events.tasks import for_ever


async def ended(task: asyncio.Task) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert task.done()


@pytest.mark.parametrize("fault", [ValueError("a defect"), MemoryError(), asyncio.CancelledError()])
async def test_no_fault_ends_it(fault, caplog):
    done = []

    async def step():
        done.append(len(done))
        if len(done) < 4:
            raise fault

    task = asyncio.create_task(for_ever(step, 0.001, "It could not; trying again"))
    async with asyncio.timeout(5):
        while len(done) < 6:
            await asyncio.sleep(0.001)
    await ended(task)
    assert caplog.text.count("It could not; trying again") == 3


async def test_it_ends_when_it_is_cancelled_though_the_step_swallows_that():
    begun = asyncio.Event()

    async def step():
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    task = asyncio.create_task(for_ever(step, 60, "never"))
    await begun.wait()
    await ended(task)
