"""Creating runs while something breaks: all of it happens, or nothing."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from tests.chaos.cluster import Cluster, Embedded, Site, Web
from tests.chaos.proxy import Proxy
from tests.process.client import Api, Wire, path_of, turns_asked, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process

SCALED = pytest.mark.services
CROWD = 50


async def prepare(api: Api, model: str, content: str = "Hello") -> tuple[str, Wire]:
    """The path and the body of a create-run on a new thread."""
    body = await api.prepare(model, content)
    thread = await api.post("/threads", body["thread"])
    return f"/threads/{thread['id']}/runs", {"assistant_id": body["assistant_id"]}


async def send(api: Api, path: str, body: Wire, key: str = "") -> httpx.Response | None:
    """The answer to a POST; None if the connection was lost."""
    headers = {"Idempotency-Key": key} if key else {}
    try:
        return await api.http.post(path, json=body, headers=headers)
    except httpx.TransportError:
        return None


async def runs_of(api: Api, path: str) -> list[Wire]:
    """All runs of a thread."""
    return list((await api.get(path))["data"])


@SCALED
async def test_a_run_goes_on_whose_creator_died_before_it_answered(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.5: ``kill -9`` of the web process after the commit, before the response: to hear of the
    commit takes it 200 ms longer than the test. (Embedded: tests/process/test_retries.py.)"""
    api = cluster.api()
    path, body = await prepare(api, "text-20x20", "no answer")
    thread_id = path.split("/")[2]
    with Proxy(cluster.database) as proxy, cluster.guest(Web, DATABASE_URL=proxy.url) as web:
        proxy.delay = 0.1
        async with Api(web) as mortal:
            lost = asyncio.create_task(send(mortal, path, body, "a key"))
            find = "SELECT id FROM runs_run WHERE thread_id = %s"
            await until(lambda: cluster.query(find, thread_id))
            web.kill9()
            assert await lost is None
    again = await send(api, path, body, "a key")
    assert again is not None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [again.json()["id"]] == [run["id"] for run in await runs_of(api, path)]
    await api.wait(again.json(), "completed")
    assert len(turns_asked(upstream, "no answer")[0]) == 1


async def test_nothing_is_left_of_a_create_that_was_not_committed(site: Site) -> None:
    """8.6: ``kill -9`` of the web process before the commit, which is held up from outside. The
    workers are frozen meanwhile: they would do away with a job that has no run."""
    api = site.api()
    path, body = await prepare(api, "text-3")
    await freeze_workers(site)
    before = jobs(site)
    with creates_held(site):
        lost = asyncio.create_task(send(api, path, body, "the same key"))
        await creates_wait(site)
        site.webs[0].kill9()
        assert await lost is None
    if isinstance(site, Cluster):
        await until(lambda: not deferring(site), what="the end of the transaction")
        assert jobs(site) == before
    await asyncio.to_thread(site.heal)
    api = site.api(-1)
    assert not await runs_of(api, path)
    thread_id = path.split("/")[2]
    assert not site.query("SELECT id FROM runs_run WHERE thread_id = %s", thread_id)
    again = await send(api, path, body, "the same key")
    assert again is not None
    assert again.status_code == 200
    assert "Idempotent-Replayed" not in again.headers
    await api.wait(again.json(), "completed")


@contextmanager
def creates_held(site: Site) -> Iterator[None]:
    """Keep every create from its commit: on SQLite by the lock that each writer takes; on
    PostgreSQL by one on the table of jobs, which is written last."""
    if isinstance(site, Cluster):
        with site.holding("LOCK TABLE procrastinate_jobs IN SHARE MODE"):
            yield
    elif isinstance(site, Embedded):
        with closing(sqlite3.connect(site.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


async def creates_wait(site: Site) -> None:
    """Wait until a create stands before the lock of ``creates_held``."""
    if isinstance(site, Cluster):
        await until(
            lambda: "Lock" in [row["wait_event_type"] for row in deferring(site)],
            what="a create that waits",
        )
    else:
        await asyncio.sleep(0.5)  # nobody can see who waits for SQLite's lock


def deferring(cluster: Cluster) -> list[Wire]:
    """The connections that queue a job, or have just queued one in an open transaction."""
    return cluster.query(
        "SELECT wait_event_type FROM pg_stat_activity WHERE datname = current_database() AND"
        " state <> 'idle' AND query LIKE '%procrastinate_defer_job%' AND pid <> pg_backend_pid()"
    )


async def freeze_workers(site: Site) -> None:
    """Freeze all workers but those that serve as well."""
    if isinstance(site, Cluster):
        for worker in site.workers:
            await site.freeze(worker)


def jobs(site: Site) -> list[Wire]:
    """All jobs that there are, whatever their state."""
    if not isinstance(site, Cluster):
        return []
    return site.query("SELECT id, status::text, args::text FROM procrastinate_jobs ORDER BY id")


@SCALED
async def test_an_error_after_the_job_was_queued_takes_both_back(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.7: the database refuses the commit of a create on one thread, by a deferred trigger, if
    by then the job was queued. Workers that are frozen would leave one that stayed behind."""
    api = cluster.api()
    path, body = await prepare(api, "text-3", "rolled back")
    thread_id = path.split("/")[2]
    cluster.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT FROM procrastinate_jobs WHERE args->>'run_id' = NEW.id) "
        "THEN RAISE EXCEPTION 'refused by the test'; END IF; RETURN NULL; END $$"
    )
    cluster.query(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON runs_run DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW WHEN (NEW.thread_id = '{thread_id}') EXECUTE FUNCTION refuse()"
    )
    try:
        await freeze_workers(cluster)
        before = jobs(cluster)
        reply = await send(api, path, body)
        assert reply is not None
        assert reply.status_code == 500
        assert reply.json()["error"]["type"] == "server_error"
        assert jobs(cluster) == before
        assert not await runs_of(api, path)
    finally:
        cluster.query("DROP FUNCTION refuse CASCADE")
    cluster.heal()
    run = await api.post(path, body)
    await api.wait(run, "completed")
    assert len(turns_asked(upstream, "rolled back")[0]) == 1


@SCALED
async def test_fifty_jobs_for_one_run_make_one_claim(cluster: Cluster, upstream: Upstream) -> None:
    """8.9: while the workers are frozen, the run's job is put into the queue 49 times more."""
    await freeze_workers(cluster)
    api, told = cluster.api(), cluster.told()
    run = await api.run("text-20x10", "fifty jobs")
    cluster.query(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) "
        "SELECT queue_name, task_name, args FROM procrastinate_jobs, generate_series(2, %s) "
        "WHERE args->>'run_id' = %s",
        CROWD,
        run["id"],
    )
    assert len(cluster.jobs(run)) == CROWD
    for worker in cluster.workers:
        worker.resume()
    await api.wait(run, "completed")
    await until(lambda: not cluster.jobs(run), what="all jobs are done")
    assert len(cluster.claims(run)) == cluster.row(run)["epoch"] == 1
    assert len(turns_asked(upstream, "fifty jobs")[0]) == 1
    names = Counter(event.name for event in await api.log(run))
    assert names["thread.run.in_progress"] == names["thread.run.completed"] == 1
    cluster.assert_sound(told)  # a job that fails is gone as well


async def test_one_of_fifty_creates_on_a_thread_wins(site: Site) -> None:
    """8.10: all at once, over all web processes; once the run has ended another can be made."""
    apis = [site.api(i) for i in range(len(site.webs))]
    path, body = await prepare(apis[0], "silent-1")
    calls = (apis[i % len(apis)].http.post(path, json=body) for i in range(CROWD))
    replies = await asyncio.gather(*calls)
    (run,) = [reply.json() for reply in replies if reply.status_code == 200]
    told = f"Thread {run['thread_id']} already has an active run {run['id']}."
    refused = [reply for reply in replies if reply.status_code == 400]
    assert len(refused) == CROWD - 1
    assert {reply.json()["error"]["message"] for reply in refused} == {told}
    assert [found["id"] for found in await runs_of(apis[-1], path)] == [run["id"]]
    await apis[0].post(path_of(run) + "/cancel")
    await apis[0].wait(run, "cancelled")
    other = await apis[-1].post(path, body)
    await apis[-1].post(path_of(other) + "/cancel")
    await apis[-1].wait(other, "cancelled")
