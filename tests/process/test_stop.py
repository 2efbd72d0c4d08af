"""Asked to stop: SIGTERM and Ctrl-C with streams open."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from tests.process.client import Api, Reader, assert_gone, family_of, text_of, turns_asked, until
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = pytest.mark.process

StartServer = Callable[..., Api]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_longer_turns_are_handed_over(
    mortal: StartServer, upstream: Upstream, number: signal.Signals
) -> None:
    """The server ends after its grace; the next one goes on at once, not after the lease."""
    api = mortal(RUNSITE_DRAIN_SECONDS="1", RUNSITE_LEASE_SECONDS="20")
    runs = [await api.run("text-100x40", f"{number} {i}") for i in range(10)]
    waiting = await api.wait(await api.run("tools-1-then-text-2"), "requires_action")
    readers = [Reader(api, run) for run in runs]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(len(reader.deltas) >= 5 for reader in readers))
        family = family_of(api.server.pid)
        started = time.monotonic()
        code = await asyncio.to_thread(api.server.stop, number)
        assert time.monotonic() - started < 1 + 4
    assert code == 0
    assert not any(task.result() for task in reading)
    assert "Traceback" not in api.server.log
    assert_gone(family)

    seen_before = [len(reader.seen) for reader in readers]
    api.server.start()
    ready_at = time.monotonic()
    assert all(await asyncio.gather(*(reader.attach() for reader in readers)))
    for i, (reader, seen) in enumerate(zip(readers, seen_before, strict=True)):
        assert reader.seen[seen].at - ready_at < 3
        assert reader.names[-1] == "thread.run.completed"
        *_, message = await api.messages(reader.run)
        assert text_of(message) == expected_text("text-100x40")
        said = [event.delta for event in reader.deltas if event.data["id"] == message["id"]]
        assert "".join(said) == text_of(message)
        assert len(turns_asked(upstream, f"{number} {i}")[0]) == 2
    await api.answer(waiting)
    await api.wait(waiting, "completed")


async def test_shorter_turns_are_waited_for(mortal: StartServer, upstream: Upstream) -> None:
    api = mortal(RUNSITE_DRAIN_SECONDS="15")
    readers = [Reader(api, await api.run("text-40x40", f"short {i}")) for i in range(3)]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(reader.attach()) for reader in readers]
        await until(lambda: all(reader.deltas for reader in readers))
        started = time.monotonic()
        code = await asyncio.to_thread(api.server.stop)
    assert code == 0
    assert time.monotonic() - started < 8
    assert all(task.result() for task in reading)
    for i, reader in enumerate(readers):
        assert reader.names[-1] == "thread.run.completed"
        assert "".join(event.delta for event in reader.deltas) == expected_text("text-40x40")
        assert len(turns_asked(upstream, f"short {i}")[0]) == 1


async def test_a_second_signal_ends_it_at_once(mortal: StartServer) -> None:
    api = mortal(RUNSITE_DRAIN_SECONDS="60")
    await api.wait(await api.run("silent-3"), "in_progress")
    assert api.server.process is not None
    api.server.process.send_signal(signal.SIGINT)
    await until(lambda: "\nStopping" in api.server.log)
    started = time.monotonic()
    assert await asyncio.to_thread(api.server.stop, signal.SIGINT) == 1
    assert time.monotonic() - started < 2
