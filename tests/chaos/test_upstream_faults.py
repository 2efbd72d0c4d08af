"""An upstream that hangs, breaks off, talks nonsense or refuses, as a worker meets it."""

import asyncio

import pytest

from tests.chaos.cluster import LEASE_SECONDS, Site
from tests.chaos.outcome import ended_well, lossless
from tests.process.client import Reader, reading, turns_asked, until
from tests.upstream import Upstream
from tests.upstream_script import Plan, gate, raw, status, text

pytestmark = pytest.mark.process

ENDED = ("completed", "failed", "incomplete", "cancelled", "expired")


@pytest.mark.parametrize("begun", [True, False], ids=["in mid-text", "before its first byte"])
async def test_a_silent_upstream_is_no_reason_to_take_the_run_over(
    site: Site, upstream: Upstream, begun: bool
) -> None:
    """8.24: the lease is renewed over three times its length; then the answer is there."""
    tag = f"is silent {begun} {site.mode}"
    plan = [gate(tag), text("w0 "), text("w1 "), text("w2 ")]
    upstream.play(plan[1:2] + plan[:1] + plan[2:] if begun else plan)
    run = await site.api().run("text-3", tag)
    reader = Reader(site.api(-1), run)
    async with reading(reader) as task:
        await until(lambda: turns_asked(upstream, tag))
        await asyncio.sleep(3 * LEASE_SECONDS)
        assert site.query("SELECT status FROM runs_run WHERE id = %s", run["id"]) == [
            {"status": "in_progress"}
        ]
        upstream.open(tag)
        assert await task
    assert await ended_well(site.api(), reader) == 0
    assert len(site.claims(run)) == 1
    assert len(turns_asked(upstream, tag)[0]) == 1


HALF = raw('data: {"choices": [{"index": 0, "delta": {"con')
LATE_DROP = {"drop": True, "delay": 0.2}  # what was sent before has arrived

PASSING: dict[str, Plan] = {
    "too many requests": [status(429, {"error": {"message": "Slow down"}}, retry_after="1")],
    "out of order": [status(500, {"error": {"message": "Oops"}})],
    "cut off before a word": [{"drop": True}],
    "cut off within its first chunk": [HALF, LATE_DROP],
    "nonsense before a word": [raw("data: {oops}\n\n")],
}


@pytest.mark.parametrize("fault", PASSING)
async def test_what_passes_is_not_seen_by_readers(
    site: Site, upstream: Upstream, fault: str
) -> None:
    """8.25: asked again, twice."""
    tag = f"passes {fault} {site.mode}"
    upstream.play(PASSING[fault], PASSING[fault])
    reader = Reader(site.api(-1), await site.api().run("text-20x10", tag))
    assert await reader.attach()
    assert await ended_well(site.api(), reader) == 0
    assert len(turns_asked(upstream, tag)[0]) == 3
    assert len(site.claims(reader.run)) == 1


LASTING: dict[str, tuple[Plan, str, int]] = {  # of each request, code, requests
    "too many requests": ([status(429)], "rate_limit_exceeded", 4),
    "out of order": ([status(500)], "server_error", 4),
    "nonsense before a word": ([raw("data: {oops}\n\n")], "server_error", 4),
    "cut off within its first chunk": ([HALF, LATE_DROP], "server_error", 4),
    "cut off in mid-text": ([text("w0 "), text("w1 "), LATE_DROP], "server_error", 1),
    "cut off in mid-chunk": ([text("w0 "), text("w1 "), HALF, LATE_DROP], "server_error", 1),
    "nonsense in mid-text": (
        [text("w0 "), raw('data: {"choices": [{"delta"\n\n'), text("w1 ")],
        "server_error",
        1,
    ),
}


@pytest.mark.parametrize("fault", LASTING)
async def test_what_lasts_fails_the_run(site: Site, upstream: Upstream, fault: str) -> None:
    """8.25: once, with words, and readers see how. Asked again only as long as nothing was shown,
    and by the same driver."""
    plan, code, requests = LASTING[fault]
    upstream.play(*[list(plan)] * requests)
    tag = f"lasts {fault} {site.mode}"
    reader = Reader(site.api(-1), await site.api().run("text-2", tag))
    assert await reader.attach()
    assert reader.names[-1] == "thread.run.failed"
    run = await site.api().wait(reader.run, *ENDED)
    assert run["status"] == "failed"
    assert run["last_error"]["code"] == code
    assert run["last_error"]["message"]
    assert [event.delta for event in reader.deltas] == [
        step["delta"]["content"] for step in plan[:2] if requests == 1 and "delta" in step
    ]
    log = Reader(site.api(), run)
    assert await log.attach()
    lossless(reader, log)
    await asyncio.sleep(LEASE_SECONDS)  # nobody takes it up again
    assert len(turns_asked(upstream, tag)[0]) == requests
    assert len(site.claims(run)) == 1
