"""A loop that is blocked says so, once per burst."""

import asyncio
import logging
import time

import pytest

from runsite import loop
from runsite.loop import LoopLag


@pytest.fixture
async def lag(monkeypatch):
    """A monitor that tells soon."""
    monkeypatch.setattr(loop, "CALM_SECONDS", 1.0)
    lag = LoopLag()
    lag.start()
    await asyncio.sleep(0.2)
    yield lag
    lag.stop()


def told(caplog):
    """The lines of the log."""
    return [record for record in caplog.records if record.name == "runsite.loop"]


async def block(seconds):
    """Block the loop, then let others run."""
    time.sleep(seconds)  # noqa: ASYNC251  the point of it
    await asyncio.sleep(0.15)


async def until_told(caplog, lines):
    """Wait for so many lines."""
    async with asyncio.timeout(20):
        while len(told(caplog)) < lines:
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_what_blocks_the_loop_is_told_once_per_burst(lag, caplog):
    for seconds in (0.5, 0.9, 0.5):
        await block(seconds)
    assert told(caplog) == []  # not yet: one line for the three
    await until_told(caplog, 1)
    (line,) = told(caplog)
    assert line.levelno == logging.WARNING
    assert line.count == lag.count >= 3
    assert line.seconds == pytest.approx(lag.worst, abs=0.001)
    assert 0.7 < lag.worst < 5
    await block(0.6)
    await until_told(caplog, 2)
    assert told(caplog)[1].count >= 1
    assert lag.worst > 0.7


@pytest.mark.slow
async def test_a_loop_with_much_to_do_in_small_pieces_is_not_blocked(lag, caplog, monkeypatch):
    """However much that is: everybody has their turn. So as not to hang on how busy the machine
    of the test is, late is what no small piece takes even there."""
    monkeypatch.setattr(loop, "LATE_SECONDS", 2.0)

    async def busy():
        until = time.monotonic() + 1
        while time.monotonic() < until:
            sum(range(1000))
            await asyncio.sleep(0)

    await asyncio.gather(*(busy() for _ in range(50)))
    await asyncio.sleep(0.5)
    assert told(caplog) == []
    assert lag.count == 0


@pytest.mark.slow
async def test_what_is_not_over_at_the_stop_is_told(lag, caplog):
    await block(0.6)
    lag.stop()
    await asyncio.wait([lag.watching])
    assert len(told(caplog)) == 1
    lag.start()  # a process that starts again
    await asyncio.sleep(0.2)
    await block(0.6)
    await until_told(caplog, 2)
