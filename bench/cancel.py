"""How long a cancel takes while a run streams: until the reader has seen ``cancelled``, and until
the upstream's connection is closed.

``python -m bench.cancel [RUNS] [scaled]``; scaled: two web processes and two workers, with a
PostgreSQL and a Redis of their own. Cancelled and read on either web process.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.chaos.cluster import Cluster, Embedded, Site
from tests.chaos.services import Postgres
from tests.live import migrate
from tests.process.client import Reader, path_of, reading, turns_asked, until
from tests.upstream import Upstream

BESIDE = 10  # runs that stream meanwhile


@contextmanager
def site_of(upstream: Upstream, *, scaled: bool) -> Iterator[Site]:
    """The processes that are measured."""
    with ExitStack() as stack:
        if not scaled:
            yield Embedded(stack, RUNSITE_UPSTREAM_URL=upstream.url)
            return
        postgres = stack.enter_context(Postgres())
        migrate(postgres.url)
        yield Cluster(stack, postgres, postgres.copy(), RUNSITE_UPSTREAM_URL=upstream.url)


async def cancel_one(site: Site, upstream: Upstream, number: int) -> tuple[float, float]:
    """Milliseconds from the request to the reader's last event and to the upstream's end."""
    webs = len(site.webs)
    api, tag = site.api(number % webs), f"run {number}"
    run = await site.api((number + 1) % webs).run("text-5000x20", tag)
    reader = Reader(site.api((number + number // 2) % webs), run)
    async with reading(reader) as task:
        await until(lambda: len(reader.deltas) >= 3)
        started = time.monotonic()
        await api.post(path_of(run) + "/cancel")
        await task
    (asked,) = turns_asked(upstream, tag)[0]
    await until(lambda: asked.closed_at)
    closed_at = asked.closed_at or started
    return (reader.seen[-1].at - started) * 1000, (closed_at - started) * 1000


async def measure(runs: int, *, scaled: bool) -> list[tuple[float, float]]:
    """One cancel after the other, with other runs streaming beside them."""
    with Upstream() as upstream, site_of(upstream, scaled=scaled) as site:
        for number in range(BESIDE):
            await site.api().run("text-5000x20", f"beside {number}")
        found = [await cancel_one(site, upstream, number) for number in range(runs)]
        for api in site.apis.values():
            await api.http.aclose()
        return found


def main() -> None:
    """Measure and print."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    runs = numbers[0] if numbers else 20
    found = asyncio.run(measure(runs, scaled="scaled" in sys.argv))
    for words, took in zip(
        ("reader told", "upstream closed"), zip(*found, strict=True), strict=True
    ):
        ordered = sorted(took)
        worst = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        sys.stdout.write(
            f"cancel, {words}, {runs} runs: median {ordered[len(ordered) // 2]:.0f} ms, "
            f"p99 {worst:.0f} ms\n"
        )


if __name__ == "__main__":
    main()
