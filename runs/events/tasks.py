"""What tasks that live as long as their process must know of asyncio."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


def asked_to_end() -> bool:
    """Whether the running task was cancelled.

    A call to a server may swallow that (psycopg's pool takes it for a broken connection, and
    connects anew; the client of Redis does the like), and whoever loops would go on for ever.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def for_ever(step: Callable[[], Awaitable[object]], seconds: float, failing: str) -> None:
    """Do ``step`` again and again, ``seconds`` after each other, until the task is cancelled.

    Nothing else ends it, be it a database that is away or a defect: runs depend on it. The log
    says ``failing`` then, and why.
    """
    while not asked_to_end():
        try:
            await step()
        except asyncio.CancelledError:
            if asked_to_end():
                raise
            logger.warning(failing, exc_info=True)  # somebody else's, which came through
        except Exception:
            logger.warning(failing, exc_info=True)
        if not asked_to_end():
            await asyncio.sleep(seconds)
