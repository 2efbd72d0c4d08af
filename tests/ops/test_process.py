"""The life of the engine inside a serving process."""

import asyncio

import pytest

from runs.execution import engines
from runsite import loop
from runsite.process import Process


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


async def test_a_failed_start_is_told_to_who_asked(engine):
    engine.fault = RuntimeError("no")
    process = Process()
    with pytest.raises(RuntimeError):
        await process.start()
    await process.stop(0)
    assert engine.calls == ["start", "stop 0"]


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
