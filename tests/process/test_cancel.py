"""Cancelling runs that stream."""

import asyncio
import statistics
import time

import pytest

from tests.process.client import Api, Reader, path_of, reading, turns_asked, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process


@pytest.mark.parametrize("model", ["text-1000x20", "silent-3"])
async def test_cancel_closes_the_upstream(api: Api, upstream: Upstream, model: str) -> None:
    """Twenty runs one after the other. Usually within 150 ms of the answer, on a busy machine too;
    nothing is said of the run after its end. Figures are in bench/cancel.py."""
    took = []
    for number in range(20):
        tag = f"cancel {model} {number}"
        run = await api.run(model, tag)
        reader = Reader(api, run)
        async with reading(reader) as task:
            await until(lambda reader=reader: len(reader.deltas) >= 3)
            answer = await api.post(path_of(run) + "/cancel")
            answered_at = time.monotonic()
            assert answer["status"] == "cancelling"
            assert await task
        assert reader.names[-1] == "thread.run.cancelled"
        (asked,) = turns_asked(upstream, tag)[0]
        await until(lambda asked=asked: asked.closed_at)
        assert asked.closed_at is not None
        took.append(asked.closed_at - answered_at)
        assert (await api.retrieve(run))["status"] == "cancelled"
        log = await api.log(run)
        assert [event.number for event in log] == [event.number for event in reader.seen]
    assert statistics.median(took) < 0.15, took
    assert max(took) < 1, took


async def test_cancel_of_a_silent_upstream(api: Api, upstream: Upstream) -> None:
    """Nothing need come from the upstream for a cancel to be noticed, headers neither."""
    for model in ("silent-3", "hang", "status-503"):
        run = await api.wait(await api.run(model, f"no word of {model}"), "in_progress")
        await until(lambda model=model: turns_asked(upstream, f"no word of {model}"))
        started = time.monotonic()
        await api.post(path_of(run) + "/cancel")
        await api.wait(run, "cancelled", seconds=1)
        assert time.monotonic() - started < 1
    (asked,) = turns_asked(upstream, "no word of hang")[0]
    await until(lambda: asked.closed_at)


async def test_cancel_against_submit(api: Api) -> None:
    """Exactly one wins, and the run always ends."""
    for _ in range(10):
        run = await api.wait(await api.run("tools-1-then-text-20x10"), "requires_action")
        outputs = [
            {"tool_call_id": call["id"], "output": "done"}
            for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]
        ]
        submitted, cancelled = await asyncio.gather(
            api.http.post(path_of(run) + "/submit_tool_outputs", json={"tool_outputs": outputs}),
            api.http.post(path_of(run) + "/cancel"),
        )
        assert {submitted.status_code, cancelled.status_code} <= {200, 400}
        assert 200 in (submitted.status_code, cancelled.status_code)
        ended = await api.wait(run, "cancelled", "completed")
        if cancelled.status_code == 200:
            assert ended["status"] == "cancelled"
