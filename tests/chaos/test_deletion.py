"""A thread or an assistant is deleted while its run is driven."""

import asyncio

import pytest

from tests.chaos.cluster import LEASE_SECONDS, Cluster, Site
from tests.chaos.outcome import ended_well
from tests.process.client import Reader, path_of, reading, turns_asked, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process


@pytest.mark.parametrize("model", ["text-1000x20", "silent-3"])
async def test_deleting_the_thread_ends_the_run_for_good(
    site: Site, upstream: Upstream, model: str
) -> None:
    """8.35: deleted by way of one web process, read on another, driven in a third."""
    tag = f"thread deleted {model} {site.mode}"
    told = site.told()
    run = await site.api().run(model, tag)
    reader = Reader(site.api(-1), run)
    async with reading(reader) as task:
        await until(lambda: len(reader.deltas) >= 3)
        reply = await site.api().http.delete(f"/threads/{run['thread_id']}")
        assert reply.json()["deleted"]
        assert await asyncio.wait_for(task, 3)
    assert reader.names[-1] == "thread.run.cancelled"
    (asked,) = turns_asked(upstream, tag)[0]
    await until(lambda: asked.closed_at, 2)
    for path in (path_of(run), path_of(run) + "/stream"):
        assert (await site.api(-1).http.get(path)).status_code == 404
    await asyncio.sleep(LEASE_SECONDS + 1)
    assert len(turns_asked(upstream, tag)[0]) == 1
    assert len(site.claims(run)) == 1
    site.assert_sound(told)
    assert not jobs_of(site, run["id"])


async def test_deleting_the_thread_of_a_run_that_was_let_go(site: Site, upstream: Upstream) -> None:
    """8.35: its driver is dead. From then on nobody asks its model again."""
    tag = f"thread deleted, driver dead {site.mode}"
    run = await site.api().run("silent-3", tag)
    await until(lambda: turns_asked(upstream, tag))
    killed = await site.worker_of(run)
    killed.kill9()
    if killed in site.webs:
        await asyncio.to_thread(killed.start)  # and it may take the run up before the call
    reply = await site.api().http.delete(f"/threads/{run['thread_id']}")
    assert reply.json()["deleted"]
    await asyncio.to_thread(site.heal)
    await asyncio.sleep(1)
    asked = len(turns_asked(upstream, tag)[0])
    assert asked == 1 or killed in site.webs
    await asyncio.sleep(LEASE_SECONDS + 1)
    await until(lambda: not jobs_of(site, run["id"]), 20, "the end of the dead worker's job")
    assert len(turns_asked(upstream, tag)[0]) == asked <= 2
    after = Reader(site.api(), await site.api().run("text-3", f"after {tag}"))
    assert await after.attach()
    assert await ended_well(site.api(), after) == 0


async def test_a_deleted_assistants_run_goes_on(site: Site, upstream: Upstream) -> None:
    """8.35: it had its copy of all that it needs of its assistant."""
    tag = f"assistant deleted {site.mode}"
    run = await site.api().run("text-50x20+tools-1-then-text-50x20", tag)
    reader = Reader(site.api(-1), run)
    async with reading(reader, "?follow=1") as task:
        await until(lambda: len(reader.deltas) >= 3)
        reply = await site.api().http.delete(f"/assistants/{run['assistant_id']}")
        assert reply.json()["deleted"]
        await site.api().answer(await site.api().wait(run, "requires_action"))
        assert await task
    assert await ended_well(site.api(), reader) == 0
    assert {turn: len(asked) for turn, asked in turns_asked(upstream, tag).items()} == {0: 1, 1: 1}


def jobs_of(site: Site, run_id: str) -> list[str]:
    """The states of the engine's jobs for a run that are not done."""
    if not isinstance(site, Cluster):
        return []
    rows = site.query("SELECT status::text, args::text FROM procrastinate_jobs")
    return [row["status"] for row in rows if run_id in row["args"]]
