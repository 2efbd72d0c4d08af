"""Live events to the readers of this process.

What other processes publish comes through :mod:`runs.events.relay`, which is told as well.
A message from the hub is only ever a shortcut: it may be lost, doubled or late, and a
reader that cannot chain it (``prev``) reads the log. Once a second the hub looks at the
log for all runs that somebody reads, so the log alone is enough.
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from django.db import Error, transaction

from runs.contract.events import RUN_ENDS
from runs.events.log import Event
from runs.models import Run
from runs.models.database import in_database

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
BOUND = 1000  # events that wait for one reader; past it they are dropped and the log is read
BOUND_CHARACTERS = 512 * 1024  # of their data, unless it is one event alone


class Subscription:
    """One reader's live queue. Fed from any thread, read on the loop that made it."""

    def __init__(self, run_id: str, cursor: int):
        self.run_id = run_id
        #: The last number the reader has. The reader keeps it; the hub compares the log.
        self.cursor = cursor
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._pending: list[Event] = []
        self._size = 0  # characters of the pending events' data
        self._look = False
        self._wake = asyncio.Event()

    def offer(self, events: Sequence[Event]) -> None:
        """Hand over events; more than the reader can hold send it to the log instead.

        The run's end is kept all the same: a deleted run has no log any more.
        """
        with self._lock:
            self._pending.extend(events)
            self._size += sum(len(event.data) for event in events)
            many = len(self._pending) > 1 and self._size > BOUND_CHARACTERS
            if many or len(self._pending) > BOUND:
                self._pending = [event for event in self._pending if event.name in RUN_ENDS]
                self._size = sum(len(event.data) for event in self._pending)
                self._look = True
        self._ring()

    def look(self) -> None:
        """Tell the reader that the log has something for it."""
        with self._lock:
            self._look = True
        self._ring()

    def _ring(self) -> None:
        if threading.get_ident() == self._thread:
            self._wake_up()
        else:
            with suppress(RuntimeError):  # its loop is closed: nobody reads any more
                self._loop.call_soon_threadsafe(self._wake_up)

    def _wake_up(self) -> None:
        if self._pending or self._look:  # not what the reader has taken meanwhile
            self._wake.set()

    async def wait(self, patience: float) -> tuple[list[Event], bool]:
        """What came since the last call, waiting up to ``patience`` seconds for it.

        The second value says that the log has to be read.
        """
        if not self._wake.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._wake.wait()
        self._wake.clear()
        with self._lock:
            pending, look = self._pending, self._look
            self._pending, self._size, self._look = [], 0, False
        return pending, look


class Outside(Protocol):
    """The way to other processes."""

    def send(self, run_id: str, events: Sequence[Event]) -> None:
        """Tell the readers of other processes what happened. From any thread."""
        ...

    def readers_changed(self) -> None:
        """Somebody has begun or ended to read a run here. From any thread."""
        ...


class Hub:
    """Who reads which run in this process."""

    def __init__(self) -> None:
        self.outside: Outside | None = None
        self._lock = threading.Lock()
        self._readers: dict[str, set[Subscription]] = {}
        self._lookers: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}

    @contextmanager
    def subscribe(self, run_id: str, after: int = 0) -> Iterator[Subscription]:
        """Receive the live events of a run while inside the block."""
        subscription = Subscription(run_id, after)
        with self._lock:
            readers = self._readers.setdefault(run_id, set())
            readers.add(subscription)
            if len(readers) == 1 and (outside := self.outside):
                outside.readers_changed()
        self._start_looking()
        try:
            yield subscription
        finally:
            with self._lock:
                readers = self._readers[run_id]
                readers.discard(subscription)
                if not readers:
                    del self._readers[run_id]
                    if outside := self.outside:
                        outside.readers_changed()

    def publish(self, run_id: str, events: Sequence[Event]) -> None:
        """Hand events to all who read the run, here or elsewhere. Callable from any thread."""
        self.deliver(run_id, events)
        if outside := self.outside:
            outside.send(run_id, events)

    def deliver(self, run_id: str, events: Sequence[Event]) -> None:
        """Hand events to all who read the run here. Callable from any thread."""
        with self._lock:
            readers = tuple(self._readers.get(run_id, ()))
        for reader in readers:
            reader.offer(events)

    def publish_on_commit(self, run_id: str, events: Sequence[Event]) -> None:
        """Hand events over once the caller's transaction is committed."""
        transaction.on_commit(lambda: self.publish(run_id, events))

    def look(self, run_id: str) -> None:
        """Have all who read the run here look at the log. Callable from any thread."""
        with self._lock:
            readers = tuple(self._readers.get(run_id, ()))
        for reader in readers:
            reader.look()

    def reading(self) -> set[str]:
        """The runs that are read here."""
        with self._lock:
            return set(self._readers)

    def readers(self) -> int:
        """How many readers there are now."""
        with self._lock:
            return sum(len(readers) for readers in self._readers.values())

    def _start_looking(self) -> None:
        loop = asyncio.get_running_loop()
        task = self._lookers.get(loop)
        if task is None or task.done():
            self._lookers = {
                old: kept for old, kept in self._lookers.items() if not old.is_closed()
            }
            # Its own context: a task must not inherit the request's thread-sensitive executor.
            self._lookers[loop] = loop.create_task(
                self._look_while_read(), context=contextvars.Context()
            )

    async def _look_while_read(self) -> None:
        while mine := self._mine():
            await asyncio.sleep(LOOK_SECONDS)
            try:
                last = await in_database(last_numbers, {reader.run_id for reader in mine})
            except Error:
                logger.warning("The log could not be read; trying again", exc_info=True)
                continue
            for reader in self._mine():
                if reader.run_id not in last or last[reader.run_id] > reader.cursor:
                    reader.look()

    def _mine(self) -> list[Subscription]:
        """The readers on the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            return [
                reader
                for readers in self._readers.values()
                for reader in readers
                if reader._loop is loop
            ]


def last_numbers(run_ids: Iterable[str]) -> dict[str, int]:
    """The last committed event number of each run that exists."""
    return dict(Run.objects.filter(id__in=run_ids).values_list("id", "last_number"))


#: The hub of this process.
hub = Hub()
