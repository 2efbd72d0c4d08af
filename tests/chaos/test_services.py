"""Redis or PostgreSQL goes away in the middle of runs, and comes back."""

import asyncio
import signal
import statistics
import time

import pytest

from tests.chaos.cluster import LEASE_SECONDS, Cluster, read_through
from tests.process.client import Reader, text_of, turns_asked, until
from tests.process.test_kill import assert_lossless
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = [pytest.mark.process, pytest.mark.services]


async def test_readers_poll_the_log_while_redis_is_away(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.16: Redis is stopped and started in mid-text. No reader is disconnected, none loses or
    repeats an event, and afterwards all is live again."""
    model = "text-150x30"
    runs = [await cluster.api(i % 2).run(model, f"Redis {i}") for i in range(4)]
    readers = [Reader(cluster.api((i + 1) % 2), run) for i, run in enumerate(runs)]
    reading = [asyncio.create_task(reader.attach()) for reader in readers]
    await until(lambda: all(len(reader.deltas) >= 10 for reader in readers))
    cluster.redis.stop()
    stopped_at = time.monotonic()
    await asyncio.sleep(2)
    cluster.redis.start()
    started_at = time.monotonic()
    assert all(await asyncio.gather(*reading))
    for i, (reader, run) in enumerate(zip(readers, runs, strict=True)):
        log = await cluster.api().log(run)
        assert_lossless(reader, log)
        assert log[-1].name == "thread.run.completed"
        meanwhile = [event for event in reader.seen if stopped_at < event.at < started_at]
        assert len(meanwhile) > 20
        assert len(cluster.claims(run)) == 1
        assert len(turns_asked(upstream, f"Redis {i}")[0]) == 1
    await live_again(cluster, upstream)


async def live_again(cluster: Cluster, upstream: Upstream) -> None:
    """What a model says reaches the readers of another process sooner than the log would be
    read: soon, if not with the first run."""
    for attempt in range(10):
        reader = Reader(cluster.api(1), await cluster.api(0).run("text-40x25", f"live {attempt}"))
        assert await reader.attach()
        (asked,) = turns_asked(upstream, f"live {attempt}")[0]
        sent = zip(reader.deltas, asked.sent_at, strict=True)
        if statistics.median(delta.at - at for delta, at in sent) < 0.15:
            return
    raise AssertionError("events still come from the log alone")


async def test_runs_go_on_after_postgresql_was_restarted(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.17: first in an orderly way, then by a crash of the whole cluster. No process ends;
    each run has one completed step and message, and its readers see each event once."""
    model = "text-150x30"
    before = {process.pid for process in cluster.processes}
    for number in (signal.SIGINT, signal.SIGQUIT):
        tags = [f"PostgreSQL {number} {i}" for i in range(4)]
        runs = [await cluster.api(i % 2).run(model, tag) for i, tag in enumerate(tags)]
        readers = [Reader(cluster.api((i + 1) % 2), run) for i, run in enumerate(runs)]
        reading = [asyncio.create_task(read_through(reader)) for reader in readers]
        await until(lambda readers=readers: all(len(reader.deltas) >= 10 for reader in readers))
        await asyncio.to_thread(cluster.postgres.stop, number)
        assert (await cluster.api().http.get("/threads")).status_code == 503
        await asyncio.sleep(1)
        await asyncio.to_thread(cluster.postgres.start)
        started_at = time.monotonic()
        await asyncio.gather(*reading)
        for reader, run, tag in zip(readers, runs, tags, strict=True):
            first = next(event.at for event in reader.seen if event.at > started_at)
            assert first - started_at < LEASE_SECONDS + 6
            assert (await cluster.api().retrieve(run))["status"] == "completed"
            *torn, message = await cluster.api().messages(run)
            assert text_of(message) == expected_text(model)
            assert [part["status"] for part in torn] == ["incomplete"] * len(torn)
            steps = await cluster.api().steps(run)
            assert [step["status"] for step in steps] == [*["failed"] * len(torn), "completed"]
            said = [event.delta for event in reader.deltas if event.data["id"] == message["id"]]
            assert "".join(said) == text_of(message)
            assert_lossless(reader, await cluster.api().log(run), *(part["id"] for part in torn))
            assert len(turns_asked(upstream, tag)[0]) == 1 + len(torn)
            assert len(torn) <= 2  # one, unless the machine is too slow for its lease
    assert {process.pid for process in cluster.processes if process.running} == before
    again = await cluster.api().run("text-3", "PostgreSQL is back")
    await cluster.api().wait(again, "completed")
