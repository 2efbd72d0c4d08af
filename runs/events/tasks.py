"""What tasks that talk to servers must know of asyncio."""

import asyncio


def asked_to_end() -> bool:
    """Whether the running task was cancelled.

    A call to a server may swallow that (psycopg's pool takes it for a broken connection, and
    connects anew; the client of Redis does the like), and whoever loops would go on for ever.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
