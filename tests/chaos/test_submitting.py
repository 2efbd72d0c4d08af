"""Tool outputs that come many times at once, or at the moment that the run is ended."""

import asyncio
import time
from collections import Counter

import pytest

from tests.chaos.cluster import Cluster, Site
from tests.process.client import Api, Wire, path_of, turns_asked
from tests.process.test_retries import assert_answered_once, outputs
from tests.upstream import Upstream

pytestmark = pytest.mark.process

ROUNDS = 100
AT_ONCE = 50  # rounds: they wait for their clocks most of the time
ENDS = {"cancelled", "completed", "expired"}


def calls_of(run: Wire) -> list[str]:
    """The ids of the calls that a run waits for."""
    return [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]


@pytest.mark.services
async def test_twenty_equal_submissions_are_applied_once(
    cluster: Cluster, upstream: Upstream
) -> None:
    """8.11: at once, over both web processes: all are answered 200, and the run goes on one
    time. (Embedded, and with other outputs: tests/process/test_retries.py.)"""
    apis = [cluster.api(0), cluster.api(1)]
    run = await apis[0].run("tools-2-then-text-3", "twenty submissions")
    run = await apis[0].wait(run, "requires_action")
    path, body = path_of(run) + "/submit_tool_outputs", outputs(calls_of(run), "done")
    replies = await asyncio.gather(*(apis[i % 2].http.post(path, json=body) for i in range(20)))
    assert [reply.status_code for reply in replies] == [200] * 20
    assert {reply.json()["id"] for reply in replies} == {run["id"]}
    await assert_answered_once(apis[0], run, "done")
    asked = turns_asked(upstream, "twenty submissions")
    assert {turn: len(requests) for turn, requests in asked.items()} == {0: 1, 1: 1}


async def test_one_of_submit_cancel_and_expiry_wins(site: Site) -> None:
    """8.12: a hundred runs are answered and cancelled just when their time is up."""
    apis = [site.api(i) for i in range(len(site.webs))]
    endings: Counter[str] = Counter()
    room = asyncio.Semaphore(AT_ONCE)

    async def play(number: int) -> Wire:
        async with room:
            run, won = await race(apis[number % len(apis)], apis[-1], number)
            endings[won] += 1
            return run

    runs = await asyncio.gather(*(play(number) for number in range(ROUNDS)))
    assert endings.keys() == ENDS, endings  # each has won some of the rounds
    for run in runs:  # seconds later
        assert await apis[0].retrieve(run) == run


async def race(one: Api, other: Api, number: int) -> tuple[Wire, str]:
    """Let the three end one run, a little before its time is up or a little after it; the run
    as it ended, and how."""
    run = await one.run("tools-1-then-text-2", "race", action_expires_in=1)
    run = await one.wait(run, "requires_action")
    after = number % 16 / 10 - 0.5  # seconds, from half a second before to one after
    await asyncio.sleep(max(run["expires_at"] - time.time() + after, 0))
    calls = [
        one.http.post(path_of(run) + "/submit_tool_outputs", json=outputs(calls_of(run), "done")),
        other.http.post(path_of(run) + "/cancel"),
    ]
    if number % 3 == 0:
        calls.reverse()
    replies = {reply.url.path.rpartition("/")[2]: reply for reply in await asyncio.gather(*calls)}
    assert {reply.status_code for reply in replies.values()} <= {200, 400}
    run = await one.wait(run, *ENDS)
    won = str(run["status"])
    assert (won == "cancelled") == (replies["cancel"].status_code == 200)
    if won == "completed":
        assert replies["submit_tool_outputs"].status_code == 200
    names = [event.name for event in await other.log(run)]
    told = [name for name in names if name.rpartition(".")[2] in ENDS and ".run." in name]
    assert [name for name in told if ".step." not in name] == [f"thread.run.{won}"]
    assert names[-1] == f"thread.run.{won}"
    return run, won
