"""How async code reaches the database, and whose clock counts.

A database unit is one sync function that runs in one hop to a thread and gives its
connection back before anything is awaited. Pools of threads keep the executor apart
from requests, and on PostgreSQL two pools of connections. On SQLite, which has one writer at
a time, the executor and the flusher share one thread; requests write on their own connections
and wait for the file at most ``busy_timeout``.
"""

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
)
from django.utils import timezone

from runs.contract.errors import Busy
from runsite.environment import executors_share

P = ParamSpec("P")
T = TypeVar("T")

#: The database is away, or in trouble: nothing was stored, and the same may work later. An
#: InternalError is what a transaction gets that stood still for too long, and a standby.
TROUBLE = (OperationalError, InterfaceError, InternalError)

READER_THREADS = 4
WAIT_SECONDS = 5.0  # of a request for a thread, as for a connection of the pool


def on_sqlite() -> bool:
    """Whether the project's database is SQLite."""
    return connection.vendor == "sqlite"


@functools.cache
def readers() -> ThreadPoolExecutor:
    """Threads of requests, streams and sockets."""
    return ThreadPoolExecutor(READER_THREADS, thread_name_prefix="database")


@functools.cache
def calls() -> ThreadPoolExecutor:
    """Threads of requests that write, and may wait for others who do: no reader waits with them."""
    return ThreadPoolExecutor(READER_THREADS, thread_name_prefix="database-call")


@functools.cache
def writers() -> ThreadPoolExecutor:
    """Threads of the executor and the flusher."""
    if on_sqlite():
        return ThreadPoolExecutor(1, thread_name_prefix="database-writer")
    share = executors_share(settings.RUNSITE_POOL_SIZE)
    return ThreadPoolExecutor(
        share, thread_name_prefix="database-writer", initializer=have_own_connections
    )


@functools.cache
def students() -> ThreadPoolExecutor:
    """Threads of the executor that only read, perhaps for long: on SQLite not the one that
    writes."""
    return (
        ThreadPoolExecutor(1, thread_name_prefix="database-student") if on_sqlite() else writers()
    )


def have_own_connections() -> None:
    """Have this thread take its connections from a pool that no request draws from: runs go on
    where requests hold all of theirs. Django keeps a pool for each alias."""
    own = connection.copy(alias="executor")
    share = executors_share(settings.RUNSITE_POOL_SIZE)
    own.settings_dict["OPTIONS"]["pool"] |= {"min_size": 1, "max_size": share}
    connections[DEFAULT_DB_ALIAS] = own


def in_unit(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``func`` and give its connections back.

    On SQLite the thread keeps its connection: there is no pool to give it to, and opening
    one costs more than most units.
    """
    try:
        return func(*args, **kwargs)
    finally:
        for used in connections.all(initialized_only=True):
            if used.vendor != "sqlite" or not used.is_usable():
                used.close()


async def in_database(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database unit for a request, a stream or a socket."""
    return await _hop(readers(), functools.partial(in_unit, func, *args, **kwargs))


async def in_request(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database unit of a request that somebody waits for.

    Raises:
        Busy: the database has so much to do, or answers so late, that its turn came after more
            than ``WAIT_SECONDS``. Nothing was done.
    """
    return await _in_time(readers(), functools.partial(func, *args, **kwargs))


async def in_writing_request(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database unit of such a request that writes.

    Raises:
        Busy: as above.
    """
    return await _in_time(calls(), functools.partial(func, *args, **kwargs))


async def _in_time(pool: ThreadPoolExecutor, unit: Callable[[], T]) -> T:
    until = time.monotonic() + WAIT_SECONDS

    def in_time() -> T:
        if time.monotonic() > until:
            raise Busy
        return unit()

    return await _hop(pool, functools.partial(in_unit, in_time))


async def in_writer(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database unit of the executor."""
    return await _hop(writers(), functools.partial(in_unit, func, *args, **kwargs))


async def in_study(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database unit of the executor that only reads."""
    return await _hop(students(), functools.partial(in_unit, func, *args, **kwargs))


async def _hop(pool: ThreadPoolExecutor, unit: Callable[[], T]) -> T:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, unit)


def close_threads() -> None:
    """Close the connections that the threads keep. For tests that drop their database."""
    for pool in {readers(), calls(), writers(), students()}:
        barrier = threading.Barrier(len(pool._threads) + 1)

        def close(barrier: threading.Barrier = barrier) -> None:
            connections.close_all()
            barrier.wait()

        for _ in range(barrier.parties - 1):
            pool.submit(close)
        barrier.wait()
    if not on_sqlite():
        writers().submit(close_own_pool).result()


def close_own_pool() -> None:
    """Close the pool of the thread that this runs in, with its connections."""
    own: Any = connections[DEFAULT_DB_ALIAS]
    own.close_pool()


def now() -> datetime:
    """The time by the database's clock, which all processes share.

    On SQLite there is one machine, hence one clock.
    """
    if on_sqlite():
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
        return found
