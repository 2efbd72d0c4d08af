"""In which order a process begins the runs that it is to drive."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager


class Lane:
    """Runs that wait for their beginning; ``width`` at a time begin.

    A process that has more to do than it can do would else begin everything and end nothing, until
    leases run out or it dies.

    Args:
        seconds: how long each has its place, unless its turn has ended before; by default until it
            says that it has begun.
    """

    def __init__(self, width: int, seconds: float | None = None):
        self.places = asyncio.Semaphore(width)
        self.seconds = seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for a place, and have it until the end of the block at most.

        Yields: what whoever is inside calls once he has begun.
        """
        await self.places.acquire()
        with ExitStack() as place:
            place.callback(self.places.release)
            if self.seconds is None:
                yield place.close
                return
            timer = asyncio.get_running_loop().call_later(self.seconds, place.close)
            place.callback(timer.cancel)
            yield lambda: None
