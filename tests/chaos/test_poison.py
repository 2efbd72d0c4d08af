"""A run that kills whoever drives it."""

import asyncio

import pytest

from runs.contract.limits import CLAIMS
from tests.chaos.cluster import TAKEOVER_SECONDS, Site
from tests.chaos.outcome import ended_well, lossless
from tests.process.client import Reader, turns_asked, until
from tests.upstream import Upstream

pytestmark = pytest.mark.process


async def test_it_is_given_up_and_takes_nobody_with_it(site: Site, upstream: Upstream) -> None:
    """Once it has asked its model its driver dies, again and again, and is started anew. What
    the dead had in hand besides is completed, and so is what comes after."""
    tag = f"poison {site.mode}"
    others: list[Reader] = []
    run = await site.api().run("silent-3", tag)
    for deaths in range(1, CLAIMS + 1):
        await until(
            lambda deaths=deaths: len(turns_asked(upstream, tag).get(0, ())) >= deaths,
            TAKEOVER_SECONDS + 5,
            f"claim {deaths}",
        )
        for other in others[-4:]:
            await site.api().wait(other.run, "completed", seconds=TAKEOVER_SECONDS)
        for number in range(4):
            other = await site.api().run("text-20x20", f"beside {tag} {deaths} {number}")
            others.append(Reader(site.api(), other))
        killed = await site.worker_of(run)
        killed.kill9()
        await asyncio.to_thread(killed.start)
    ended = await site.api().wait(run, "failed", "completed", seconds=TAKEOVER_SECONDS)
    assert ended["status"] == "failed"
    assert ended["last_error"] == {
        "code": "server_error",
        "message": f"The server was interrupted {CLAIMS} times during one turn; "
        "the run was given up.",
    }
    assert len(turns_asked(upstream, tag)[0]) == CLAIMS
    reader = Reader(site.api(-1), run)
    assert await reader.attach()
    assert reader.names[-1] == "thread.run.failed"
    for other in others:
        await site.api().wait(other.run, "completed", seconds=TAKEOVER_SECONDS)
        assert await other.attach()
        await ended_well(site.api(), other)
    # Whoever lives on is sound, and the poison stays dead.
    after = Reader(site.api(), await site.api().run("text-5", f"after {tag}"))
    assert await after.attach()
    assert await ended_well(site.api(), after) == 0
    assert len(turns_asked(upstream, tag)[0]) == CLAIMS
    again = Reader(site.api(), run)
    assert await again.attach()
    lossless(reader, again)
