"""Whether the loop of this process is free. Whatever computes or blocks on it for long keeps all
runs, streams and leases waiting, and nothing else would say so."""

import asyncio
import contextvars
import logging
import time

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
LATE_SECONDS = 0.25  # from here on a reader may notice, and a lease comes nearer to its end
CALM_SECONDS = 2.0  # on time for so long: what was late before is told, in one line
TELL_SECONDS = 30.0  # what does not end is told as often


class LoopLag:
    """How late a task wakes that only sleeps. ``count`` and ``worst`` are since the start of the
    process."""

    def __init__(self) -> None:
        self.count = 0
        self.worst = 0.0
        self.watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the running loop. Starting twice does nothing."""
        if self.watching is None or self.watching.done():
            self.watching = asyncio.get_running_loop().create_task(
                self.watch(), name="loop lag", context=contextvars.Context()
            )

    def stop(self) -> None:
        """Watch no more."""
        if self.watching is not None:
            self.watching.cancel()

    async def watch(self) -> None:
        """Measure, and tell of what was late when it is over."""
        late: list[float] = []
        began = latest = 0.0
        try:
            while True:
                due = time.monotonic() + LOOK_SECONDS
                await asyncio.sleep(LOOK_SECONDS)
                now = time.monotonic()
                if now - due > LATE_SECONDS:
                    began, latest = began if late else now, now
                    late.append(now - due)
                    self.count += 1
                    self.worst = max(self.worst, now - due)
                elif late and (now - latest > CALM_SECONDS or now - began > TELL_SECONDS):
                    tell(late)
                    late = []
        finally:
            if late:
                tell(late)


def tell(late: list[float]) -> None:
    """One line in the log."""
    logger.warning(
        "the loop was blocked", extra={"seconds": round(max(late), 3), "count": len(late)}
    )


lag = LoopLag()
