"""What readers that take nothing cost everybody else, and the server's memory.

Each has asked for the stream of a run with 200 MB of events. Meanwhile another run says a token
fifty times a second; its delays are taken from the sending of a token to its arrival. All by one
server, with none of them, with one, with twenty, and with none again: what differs by chance.

``python -m bench.stalled [SECONDS]``
"""

import asyncio
import contextlib
import sys

from tests.live import LiveServer
from tests.process.client import Api
from tests.process.test_stalled import delays, large_run, stalled
from tests.upstream import Upstream

PER_SECOND = 50
MB = 1_000_000


async def main() -> None:
    """Measure and print."""
    count = PER_SECOND * (int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    with Upstream() as upstream, LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        run = large_run(server)
        async with Api(server) as api:
            await delays(api, upstream, "warm", 50)
            for readers in (0, 1, 20, 0):
                before = server.memory
                async with contextlib.AsyncExitStack() as stack:
                    for _ in range(readers):
                        await stack.enter_async_context(stalled(api, run))
                    took = sorted(await delays(api, upstream, f"{readers} {before}", count))
                    grown = (server.memory - before) / MB
                shares = " ".join(f"p{p} {took[int(count * p / 100)]:.0f}" for p in (50, 95, 99))
                sys.stdout.write(
                    f"{readers:2} stalled: delays of {count} tokens, ms: {shares} max "
                    f"{took[-1]:.0f}; memory {grown:+.1f} MB\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
