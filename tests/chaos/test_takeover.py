"""A worker is lost, or frozen, in the middle of a run: another one brings the run to its end."""

import asyncio
import json
import time
from collections import Counter

import pytest

from tests.chaos.cluster import LEASE_SECONDS, TAKEOVER_SECONDS, Cluster, Site, Worker, read_through
from tests.chaos.proxy import Proxy
from tests.live import LiveServer
from tests.process.client import Api, Reader, Wire, text_of, turns_asked, until
from tests.process.test_kill import assert_lossless
from tests.upstream import Upstream
from tests.upstream_script import HANG, expected_text, text, token

pytestmark = pytest.mark.process

SCALED = pytest.mark.services


async def assert_one_completed(api: Api, run: Wire, model: str, torn: int = 0) -> list[str]:
    """The run has completed with one whole message and step, and so many interrupted ones;
    returns the ids of the interrupted messages."""
    assert (await api.retrieve(run))["status"] == "completed"
    messages = await api.messages(run)
    assert [message["status"] for message in messages] == [*["incomplete"] * torn, "completed"]
    assert text_of(messages[-1]) == expected_text(model)
    steps = await api.steps(run)
    assert [step["status"] for step in steps] == [*["failed"] * torn, "completed"]
    return [message["id"] for message in messages[:-1]]


@SCALED
async def test_another_worker_asks_the_model_again_before_anything_was_said(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.1: ``kill -9`` between the claim and the first delta; a few times, for the promise is
    the lease and a second, and the machine may be busy at one of them."""
    took = []
    for number in range(3):
        tag = f"nothing said yet {number}"
        upstream.play([HANG])
        run = await cluster.api().run("text-10", tag)
        reader = Reader(cluster.api(number % 2), run)
        reading = asyncio.create_task(reader.attach())
        await until(lambda tag=tag: turns_asked(upstream, tag))
        worker = await cluster.worker_of(run)
        worker.kill9()
        killed_at = time.monotonic()
        assert await reading
        _, again = turns_asked(upstream, tag)[0]
        took.append(again.received_at - killed_at)
        others = cluster.others(worker)
        assert [claimer for _, claimer in cluster.claims(run)] == [worker, *others]
        await assert_one_completed(cluster.api(), run, "text-10")
        assert_lossless(reader, await cluster.api().log(run))
        await asyncio.to_thread(worker.start)
    assert min(took) < LEASE_SECONDS + 1, took
    assert max(took) < TAKEOVER_SECONDS, took


async def test_readers_see_each_event_once_when_a_worker_is_killed(
    site: Site, upstream: Upstream
) -> None:
    """8.2: ``kill -9`` in mid-text, with readers on every web process. Where the worker does not
    serve they stay attached; where it does they come back with the last number they saw."""
    model = "text-80x30"
    api = site.api(-1)
    runs = [await site.api().run(model, f"cut {site.mode} {i}") for i in range(6)]
    readers = [Reader(site.api(i % len(site.webs)), run) for i, run in enumerate(runs)]
    reading = [asyncio.create_task(read_through(reader)) for reader in readers]
    await until(lambda: all(len(reader.deltas) >= 10 for reader in readers))
    worker = await site.worker_of(runs[0])
    cut = [run for run in runs if await site.worker_of(run) is worker]
    worker.kill9()
    await site.succeed(worker)
    succeeded_at = time.monotonic()
    took = await asyncio.gather(*reading)
    if site.others(worker):
        assert took == [1] * len(readers)
    back = []
    for i, reader in enumerate(readers):
        interrupted = runs[i] in cut
        if interrupted:  # the successor's first word: whatever came before may have lain about
            closed = reader.names.index("thread.message.incomplete")
            back.append(reader.seen[closed].at - succeeded_at)
        torn = await assert_one_completed(api, runs[i], model, int(interrupted))
        assert_lossless(reader, await api.log(runs[i]), *torn)
        assert len(turns_asked(upstream, f"cut {site.mode} {i}")[0]) == (2 if interrupted else 1)
    assert min(back) < LEASE_SECONDS + 1, back
    assert max(back) < TAKEOVER_SECONDS, back


@SCALED
async def test_a_finished_answer_that_was_not_committed_is_asked_for_once_more(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.3: ``kill -9`` after the upstream has finished, before the turn's commit. The run's row
    is held from outside meanwhile."""
    api = cluster.api()
    run = await api.run("text-40x20", "not committed")
    reader = Reader(api, run)
    reading = asyncio.create_task(reader.attach())
    await until(lambda: len(reader.deltas) >= 5)
    worker = await cluster.worker_of(run)
    with cluster.holding("SELECT 1 FROM runs_run WHERE id = %s FOR UPDATE", run["id"]):
        (asked,) = turns_asked(upstream, "not committed")[0]
        await until(lambda: asked.ended_at)
        await asyncio.sleep(0.2)  # the driver has read it to its end
        worker.kill9()
    assert await reading
    (torn,) = await assert_one_completed(api, run, "text-40x20", torn=1)
    assert_lossless(reader, await api.log(run), torn)
    assert len(turns_asked(upstream, "not committed")[0]) == 2


@SCALED
async def test_a_job_that_comes_again_after_its_run_has_ended_does_nothing(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.4: ``kill -9`` right after the turn's commit, before the job is acknowledged: its row is
    held from outside meanwhile. Then the job is put back into the queue."""
    api, told = cluster.api(), cluster.told()
    run = await api.run("text-20x20", "not acknowledged")
    worker = await cluster.worker_of(run)
    (job,) = cluster.jobs(run)
    assert job["status"] == "doing"
    with cluster.holding("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", job["id"]):
        await api.wait(run, "completed")
        await asyncio.sleep(0.2)  # the worker wants to acknowledge it
        worker.kill9()
    log = await api.log(run)
    assert [job["status"] for job in cluster.jobs(run)] == ["doing"]
    retry = "SELECT procrastinate_retry_job_v1(%s, now(), NULL, NULL, NULL)"
    cluster.query(retry, job["id"])
    await until(lambda: not cluster.jobs(run), what="the other worker has done the job")
    await assert_one_completed(api, run, "text-20x20")
    assert len(cluster.claims(run)) == cluster.row(run)["epoch"] == 1
    assert [event.number for event in await api.log(run)] == [event.number for event in log]
    assert len(turns_asked(upstream, "not acknowledged")[0]) == 1
    cluster.assert_sound(told)  # a job that fails is gone as well


def lost_by(worker: LiveServer, told: dict[LiveServer, int]) -> set[str]:
    """The runs of which the worker has noticed that they are another's, since it had logged what
    was ``told``."""
    lines = worker.log[told[worker] :].splitlines()
    return {json.loads(line)["run_id"] for line in lines if '"run lost"' in line}


@SCALED
async def test_a_worker_that_wakes_up_late_writes_nothing_more(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.8: a worker is frozen for longer than its leases, and goes on while another drives its
    runs; what it then has to say is refused, and its calls of the model are closed. Those calls
    go on saying something all the time."""
    model = "text-60x30"
    endless = [text(token(i), 0.03) for i in range(2000)]
    upstream.play(*[endless] * 4)
    api, told = cluster.api(), cluster.told()
    worker, other = cluster.workers
    await cluster.freeze(other)
    runs = [await api.run(model, f"frozen {i}") for i in range(4)]
    readers = [Reader(cluster.api(1), run) for run in runs]
    reading = [asyncio.create_task(reader.attach()) for reader in readers]
    await until(lambda: all(len(reader.deltas) >= 10 for reader in readers))
    await cluster.freeze(worker)
    other.resume()
    await until(lambda: all(len(cluster.claims(run)) == 2 for run in runs), TAKEOVER_SECONDS)
    await asyncio.sleep(0.5)  # the other has said something
    worker.resume()
    woken_at = time.monotonic()
    for i in range(len(runs)):
        first, _ = turns_asked(upstream, f"frozen {i}")[0]
        await until(lambda first=first: first.closed_at)
        assert first.closed_at is not None
        assert first.closed_at - woken_at < 1
    assert all(await asyncio.gather(*reading))
    for i, reader in enumerate(readers):
        (torn,) = await assert_one_completed(api, runs[i], model, torn=1)
        assert_lossless(reader, await api.log(runs[i]), torn)
        assert len(turns_asked(upstream, f"frozen {i}")[0]) == 2
    assert worker.running
    assert lost_by(worker, told) == {run["id"] for run in runs}


async def freeze_inside(cluster: Cluster, worker: LiveServer) -> None:
    """Pause a worker in the middle of a transaction that has locked the rows of its runs: a flush,
    which comes to the log then. Again, if all that came to it was another worker's."""
    waits = "wait_event_type = 'Lock' AND query LIKE 'INSERT%runs_eventchunk%'"
    asked = f"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND {waits}"
    while True:
        with cluster.holding("LOCK TABLE runs_eventchunk IN SHARE MODE"):
            await until(
                lambda: len(cluster.query(asked)) >= len(cluster.workers), what="flushes that wait"
            )
            worker.pause()
        await asyncio.sleep(0.4)
        before = cluster.idle_transactions()
        await asyncio.sleep(0.1)
        if [found for found in cluster.idle_transactions() if found in before]:
            return  # of those who are awake none is idle for so long
        worker.resume()
        await asyncio.sleep(0.05)


@SCALED
async def test_a_worker_frozen_inside_a_transaction_holds_up_nobody(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.8, at the worst moment: its transaction is open and has locked the rows of its runs. The
    database must end it: nobody else can, and nobody waits for the rows. Each run is taken over
    once, however long its row was held; and whoever slept is of use again."""
    model = "text-300x30"  # still under way when the worker is frozen
    api, told = cluster.api(), cluster.told()
    runs = [await api.run(model, f"inside {i}") for i in range(12)]
    readers = [Reader(cluster.api(1), run) for run in runs]
    reading = [asyncio.create_task(reader.attach()) for reader in readers]
    await until(lambda: all(len(reader.deltas) >= 10 for reader in readers))
    worker = await cluster.worker_of(runs[0])
    theirs = [run for run in runs if await cluster.worker_of(run) is worker]
    await freeze_inside(cluster, worker)
    started = time.monotonic()
    reply = await api.http.post(f"/threads/{theirs[0]['thread_id']}/runs/{theirs[0]['id']}/cancel")
    assert reply.status_code == 200, reply.text
    for run in runs:
        await api.wait(run, "completed", "cancelled", seconds=40)
    assert time.monotonic() - started < 40
    assert all(await asyncio.gather(*reading))
    worker.resume()
    await until(lambda: lost_by(worker, told) >= {run["id"] for run in theirs})
    for run in theirs:
        drivers = [claimer for _, claimer in cluster.claims(run)]
        assert drivers == [worker, *cluster.others(worker)]
    for reader, run in zip(readers, runs, strict=True):
        log = await api.log(run)
        torn = {event.data["id"] for event in reader.deltas} - {
            event.data["id"] for event in log if event.name == "thread.message.completed"
        }
        assert_lossless(reader, log, *torn)
    for other in cluster.others(worker):
        await cluster.freeze(other)
    after = await api.run("text-3", "after it woke up")
    await api.wait(after, "completed")
    assert [claimer for _, claimer in cluster.claims(after)] == [worker]
    assert "No jobs can be fetched" not in worker.log[told[worker] :]


@SCALED
async def test_a_worker_that_is_cut_off_from_the_database_shows_nothing_more(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.8, by the network: the worker lives, hears the model and reaches the readers through
    Redis, but its lease runs out. What it would still tell them could never be stored."""
    model = "text-200x30"
    api = cluster.api()
    with Proxy(cluster.database) as proxy, cluster.guest(Worker, DATABASE_URL=proxy.url) as cut_off:
        for worker in cluster.others(cut_off):
            worker.pause()
        run = await api.run(model, "cut off")
        reader = Reader(cluster.api(1), run)
        reading = asyncio.create_task(reader.attach())
        await until(lambda: len(reader.deltas) >= 10)
        for worker in cluster.others(cut_off):
            worker.resume()
        proxy.hold()
        held_at = time.monotonic()
        await until(lambda: len(cluster.claims(run)) == 2, TAKEOVER_SECONDS + 2)
        await until(lambda: len(reader.deltas) >= 100)
        proxy.mend()
        (asked, _) = turns_asked(upstream, "cut off")[0]
        await until(lambda: asked.closed_at or asked.ended_at)
        assert await reading
        await until(lambda: '"run lost"' in cut_off.log)
        assert cut_off.running
    (torn,) = await assert_one_completed(api, run, model, torn=1)
    assert_lossless(reader, await api.log(run), torn)
    late = [event for event in reader.deltas if event.data["id"] == torn]
    assert late[-1].at - held_at < LEASE_SECONDS - 0.2  # a second of deltas may be unstored
    assert len(turns_asked(upstream, "cut off")[0]) == 2


@SCALED
async def test_a_cancel_outlives_the_worker_that_should_have_heard_it(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.15: the holder is frozen, so that it cannot act on the cancel, and then killed."""
    api = cluster.api()
    run = await api.run("text-500x20", "cancelled and killed")
    reader = Reader(cluster.api(1), run)
    reading = asyncio.create_task(reader.attach())
    await until(lambda: len(reader.deltas) >= 5)
    worker = await cluster.worker_of(run)
    await cluster.freeze(worker)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/cancel"
    assert (await api.post(path))["status"] == "cancelling"
    worker.kill9()
    killed_at = time.monotonic()
    assert await reading
    assert reader.seen[-1].at - killed_at < LEASE_SECONDS + 1
    assert reader.names[-1] == "thread.run.cancelled"
    await cluster.rest()  # the killed one is back, and finds nothing to do
    await asyncio.sleep(1)
    api = cluster.api()
    assert (await api.retrieve(run))["status"] == "cancelled"
    log = await api.log(run)
    assert Counter(event.name for event in log)["thread.run.cancelled"] == 1
    assert log[-1].number == reader.seen[-1].number
    assert len(turns_asked(upstream, "cancelled and killed")[0]) == 1
