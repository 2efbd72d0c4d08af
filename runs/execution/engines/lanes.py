"""In which order a process begins the runs that it is to drive."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager


class Lane:
    """Runs that wait for their beginning; ``width`` at a time begin.

    A process that has more to do than it can do would else begin everything and end nothing, until
    leases run out or it dies.

    Args:
        seconds: how long each keeps its place after it has begun, unless its turn ends before.
        together: within so many seconds all come in that wait at one time: of many, each keeps its
            place for less.
    """

    def __init__(self, width: int, seconds: float = 0.0, together: float = math.inf):
        self.places = asyncio.Semaphore(width)
        self.seconds = seconds
        self.together = together
        self.waiting = 0
        self.crowd = 1  # as many as waited at once, since nobody did

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for a place, and have it until the end of the block at most.

        Yields: what whoever is inside calls once he has begun.
        """
        self.waiting += 1
        self.crowd = max(self.crowd, self.waiting)
        try:
            await self.places.acquire()
        finally:
            self.waiting -= 1
        with ExitStack() as place:
            place.callback(self.places.release)

            def begun() -> None:
                seconds = min(self.seconds, self.together / self.crowd)
                if not self.waiting:
                    self.crowd = 1
                timer = asyncio.get_running_loop().call_later(seconds, place.close)
                place.callback(timer.cancel)

            yield begun if self.seconds else place.close
