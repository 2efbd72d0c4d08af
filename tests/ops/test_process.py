"""The life of the engine inside a serving process."""

import asyncio

import pytest

from runs.execution import engines
from runs.execution.engines.local import LocalEngine
from runs.execution.upstreams import upstreams
from runsite import loop
from runsite.process import Process
from tests.live import NOBODY


class SlowEngine:
    """An engine that takes a moment to start, and may fail to."""

    def __init__(self, fault=None):
        self.fault = fault
        self.calls = []

    async def start(self):
        await asyncio.sleep(0)
        self.calls.append("start")
        if self.fault:
            raise self.fault

    async def stop(self, grace):
        self.calls.append(f"stop {grace:g}")


@pytest.fixture
def engine(monkeypatch, settings):
    settings.REDIS_URL = None  # the relay has tests of its own
    engine = SlowEngine()
    monkeypatch.setattr(engines, "current", lambda: engine)
    return engine


async def test_it_starts_once_however_many_ask(engine):
    process = Process()
    await asyncio.gather(*(process.start() for _ in range(5)))
    assert engine.calls == ["start"]


async def test_it_stops_once_and_drains_at_once(engine):
    process = Process()
    await process.start()
    await asyncio.gather(process.stop(2), process.stop(2))
    assert process.draining
    assert engine.calls == ["start", "stop 2"]


async def test_a_process_that_never_started_has_nothing_to_stop(engine):
    process = Process()
    await process.stop()
    assert engine.calls == []


async def test_who_comes_after_a_failed_start_tries_again(engine):
    """Until it works, and until the process ends."""
    engine.fault = RuntimeError("no")
    process = Process()
    answers = await asyncio.gather(process.start(), process.start(), return_exceptions=True)
    assert answers == [engine.fault] * 2
    assert engine.calls == ["start"]
    engine.fault = None
    await process.start()
    await process.start()
    assert engine.calls == ["start", "start"]


async def test_a_failed_start_is_told_to_who_asked_and_not_tried_again_at_the_end(engine):
    engine.fault = RuntimeError("no")
    process = Process()
    with pytest.raises(RuntimeError):
        await process.start()
    await process.stop(0)
    with pytest.raises(RuntimeError):
        await process.start()
    assert engine.calls == ["start", "stop 0"]


@pytest.mark.django_db(transaction=True)
async def test_an_engine_whose_start_failed_can_be_started(settings):
    settings.RUNSITE_UPSTREAM_URL = NOBODY
    engine, own = LocalEngine(), upstreams()
    own.start = failing
    with pytest.raises(OSError, match="no more processes"):
        await engine.start(own)
    assert not engine.running
    await engine.start()
    assert engine.running
    await engine.stop(0)
    assert not engine.running


async def failing():
    raise OSError("no more processes")


async def test_a_request_that_goes_away_does_not_take_the_start_with_it(engine):
    process = Process()
    request = asyncio.ensure_future(process.start())
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await process.start()
    assert engine.calls == ["start"]


async def test_the_loop_is_watched_for_as_long(engine):
    process = Process()
    await process.start()
    watching = loop.lag.watching
    assert watching is not None
    assert not watching.done()
    await process.stop(0)
    await asyncio.wait([watching], timeout=5)
    assert watching.cancelled()
