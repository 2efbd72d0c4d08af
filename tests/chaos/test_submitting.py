"""Tool outputs that come many times at once, or at the moment that the run is ended."""

import asyncio
import time
from collections import Counter

import pytest

from tests.chaos.cluster import Cluster, Site
from tests.process.client import Api, Reader, Wire, path_of, turns_asked
from tests.process.test_retries import assert_answered_once, outputs
from tests.upstream import Upstream

pytestmark = pytest.mark.process

ROUNDS = 150  # two of three with a cancel
AT_ONCE = 50  # rounds: they wait for their clocks most of the time
WAITS = "thread.run.requires_action"
ENDS = {"thread.run.cancelled", "thread.run.completed", "thread.run.expired"}


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
    """8.12: runs that wait are answered just when their time is up, and a hundred of them are
    cancelled as well."""
    apis = [site.api(i) for i in range(len(site.webs))]
    winners: Counter[str] = Counter()
    room = asyncio.Semaphore(AT_ONCE)

    async def play(number: int) -> Wire:
        async with room:
            run, winner = await race(apis[number % len(apis)], apis[-1], body, number)
            winners[winner] += 1
            return run

    body = await apis[0].prepare("tools-1-then-text-2", "race", action_expires_in=1)
    runs = await asyncio.gather(*(play(number) for number in range(ROUNDS)))
    assert winners.keys() == {"submitted", "cancelled", "expired"}, winners
    later = await asyncio.gather(*(apis[0].retrieve(run) for run in runs))
    assert [run["status"] for run in later] == [run["status"] for run in runs]


async def race(one: Api, other: Api, body: Wire, number: int) -> tuple[Wire, str]:
    """Submit, cancel, or both at once, a little before the run's time is up or a little after
    it; the run as it ended, and what ended its wait."""
    reader = Reader(one, await one.post("/threads/runs", body))
    assert await reader.attach()  # to where it waits, or on a slow machine to its end
    run = next(event.data for event in reader.seen if event.name == WAITS)
    answer = outputs(calls_of(run), "done")
    submit = one.http.post(path_of(run) + "/submit_tool_outputs", json=answer)
    cancel = other.http.post(path_of(run) + "/cancel")
    after = number % 16 / 10 - 0.5  # seconds, from half a second before to one after
    await asyncio.sleep(max(run["expires_at"] - time.time() + after, 0))
    if number % 3 == 0:
        submitted, cancelled = await asyncio.gather(submit, cancel)
    elif number % 3 == 1:
        cancelled, submitted = await asyncio.gather(cancel, submit)
    else:
        cancel.close()
        submitted, cancelled = await submit, None
    assert submitted.status_code in (200, 400), submitted.text
    assert cancelled is None or cancelled.status_code in (200, 400), cancelled.text

    if reader.names[-1] not in ENDS:
        assert await reader.attach()
    run = reader.run
    names = [event.name for event in await other.log(run)]
    told = names[names.index(WAITS) + 1 :]
    ended = [name for name in told if name in ENDS]
    assert ended == [told[-1]] == [f"thread.run.{run['status']}"]
    assert (run["status"] == "cancelled") == (cancelled is not None and cancelled.is_success)
    if "thread.run.queued" in told:
        assert submitted.is_success
        assert run["status"] != "expired"
        return run, "submitted"
    assert submitted.status_code == 400
    return run, str(run["status"])
