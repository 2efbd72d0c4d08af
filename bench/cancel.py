"""How long a cancel takes while a run streams: until the reader has seen ``cancelled``, and until
the upstream's connection is closed.

``python -m bench.cancel [RUNS]``
"""

import asyncio
import sys
import time

from tests.live import LiveServer
from tests.process.client import Api, Reader, path_of, reading, turns_asked, until
from tests.upstream import Upstream


async def cancel_one(api: Api, upstream: Upstream, tag: str) -> tuple[float, float]:
    """Milliseconds from the request to the reader's last event and to the upstream's end."""
    run = await api.run("text-5000x20", tag)
    reader = Reader(api, run)
    async with reading(reader) as task:
        await until(lambda: len(reader.deltas) >= 3)
        started = time.monotonic()
        await api.post(path_of(run) + "/cancel")
        await task
    (asked,) = turns_asked(upstream, tag)[0]
    await until(lambda: asked.closed_at)
    closed_at = asked.closed_at or started
    return (reader.seen[-1].at - started) * 1000, (closed_at - started) * 1000


async def measure(runs: int) -> list[tuple[float, float]]:
    """One cancel after the other, with ten other runs streaming beside them."""
    with Upstream() as upstream, LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        async with Api(server) as api:
            for number in range(10):
                await api.run("text-5000x20", f"beside {number}")
            return [await cancel_one(api, upstream, f"run {number}") for number in range(runs)]


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    found = asyncio.run(measure(runs))
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
