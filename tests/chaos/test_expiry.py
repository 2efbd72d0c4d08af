"""A run's time runs out, whoever drives it, and if nobody does."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.chaos.cluster import LEASE_SECONDS, Cluster, Embedded, Site
from tests.chaos.outcome import lossless
from tests.process.client import Reader, Wire, path_of, reading, turns_asked, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process

LIFETIME = 3  # seconds
LATE = 2.0  # seconds after its time at which a run has surely expired


async def expires(site: Site, run: Wire) -> Reader:
    """Read the run to its end, which is its one and timely expiry."""
    reader = Reader(site.api(-1), run)
    async with reading(reader, "?follow=1") as task:
        assert await asyncio.wait_for(task, LIFETIME + LATE)
    assert time.time() - run["expires_at"] > -1  # wire times are whole seconds
    assert reader.names.count("thread.run.expired") == 1
    assert reader.names[-1] == "thread.run.expired"
    assert (await site.api().retrieve(run))["status"] == "expired"
    log = Reader(site.api(), run)
    assert await log.attach()
    lossless(reader, log, {event.data["id"] for event in reader.deltas})
    return reader


@pytest.mark.parametrize("model", ["silent-3", "text-500x20"])
async def test_a_driven_run_expires_and_its_driver_is_fenced(
    site: Site, upstream: Upstream, model: str
) -> None:
    """8.23: its upstream's connection is closed, and nothing is written after the end."""
    tag = f"expires while driven {model} {site.mode}"
    run = await site.api().run(model, tag, expires_in=LIFETIME)
    reader = await expires(site, run)
    assert reader.deltas
    log = [(event.number, event.name, event.data) for event in await site.api().log(run)]
    assert log[-1][1] == "thread.run.expired"
    row = site.row(run)
    (asked,) = turns_asked(upstream, tag)[0]
    await until(lambda: asked.closed_at, 2)
    await asyncio.sleep(LEASE_SECONDS + 1)
    later = [(event.number, event.name, event.data) for event in await site.api().log(run)]
    assert later == log
    assert site.row(run) == row
    (message,) = await site.api().messages(run)
    assert message["status"] == "incomplete"
    assert len(turns_asked(upstream, tag)[0]) == 1


async def test_a_run_that_waits_for_outputs_expires(site: Site) -> None:
    """8.23: outputs that come later are refused."""
    run = await site.api().run("tools-1-then-text-3", expires_in=LIFETIME)
    run = await site.api().wait(run, "requires_action")
    await expires(site, run)
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    body = {"tool_outputs": [{"tool_call_id": call["id"], "output": "x"} for call in calls]}
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    reply = await site.api().http.post(path, json=body)
    assert reply.status_code == 400
    assert "expired" in reply.json()["error"]["message"]


@pytest.mark.services
async def test_a_run_expires_with_all_workers_gone(cluster: Cluster, upstream: Upstream) -> None:
    """8.23: the web processes see to it, and no worker drives it later."""
    for worker in cluster.workers:
        await cluster.freeze(worker)
    run = await cluster.api().run("text-3", "expires in the queue", expires_in=LIFETIME)
    await expires(cluster, run)
    for worker in cluster.workers:
        worker.resume()
    after = await cluster.api().run("text-3", "after the pause")
    await cluster.api(1).wait(after, "completed")
    assert not turns_asked(upstream, "expires in the queue")


async def test_a_run_expires_for_which_the_server_has_no_room(
    start_embedded: Callable[..., Embedded], upstream: Upstream
) -> None:
    """8.23, queued: it waits in the one process there is, and is not driven later."""
    full = start_embedded(RUNSITE_CONCURRENT_RUNS="1")
    ahead = await full.api().run("silent-3", "has the room")
    await until(lambda: turns_asked(upstream, "has the room"))
    run = await full.api().run("text-3", "expires without room", expires_in=LIFETIME)
    reader = await expires(full, run)
    assert "thread.run.in_progress" not in reader.names
    await full.api().post(path_of(ahead) + "/cancel")
    after = await full.api().run("text-3", "after there was room")
    await full.api().wait(after, "completed")
    assert not turns_asked(upstream, "expires without room")
    assert not full.claims(run)
