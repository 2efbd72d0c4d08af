"""The one way in which streams and the console read a run."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import closing
from operator import attrgetter

from django.db import Error

from runs.contract.events import RUN_ENDS, RUN_REQUIRES_ACTION
from runs.contract.limits import FLUSH_SECONDS, KEEP_ALIVE_SECONDS
from runs.contract.status import AT_REST, TERMINAL
from runs.events import log
from runs.events.hub import LOOK_SECONDS, Subscription, hub
from runs.events.log import Event
from runs.models.database import in_database

#: A deletion is seen in the database before it is told: half a second before, with 60 requests
#: at once on two cores. In another process it is never told.
LAST_WORDS_SECONDS = 2.0
#: For so long what is live waits for a reading of the log.
LOG_SECONDS = 1.0
#: For so long a reader waits for a database that does not answer.
OUTAGE_SECONDS = 60.0

logger = logging.getLogger(__name__)


async def follow(
    run_id: str,
    after: int = 0,
    *,
    through_pauses: bool = False,
    beat: float = KEEP_ALIVE_SECONDS,
) -> AsyncGenerator[list[Event], None]:
    """Yield every event past ``after``, in order, in the lists in which they came.

    Subscribed first, log read second: nothing falls between the two. An empty list at the
    start, if nothing is there yet, and after ``beat`` seconds of silence lets the reader show
    that it is alive. Ends by itself when the run rests (terminal, or waiting for tool
    outputs) and all was sent; with ``through_pauses`` only when it is terminal; at once if
    the run is gone.
    """
    with hub.subscribe(run_id, after) as live, closing(Reader(live, through_pauses)) as reader:
        look, beat_at = True, 0.0
        while True:
            events = await reader.read_log() if look else []
            events += reader.chain()
            if events:
                yield events
            if reader.finished(events):
                return
            if events or time.monotonic() >= beat_at:
                if not events:
                    yield []  # Daphne sends the head of an answer with its first bytes
                beat_at = time.monotonic() + beat
            pending, look = await live.wait(reader.patience(beat_at))
            reader.hold(pending)
            # A cursor that is not of this run is never woken.
            look = look or reader.must_look() or time.monotonic() >= beat_at


class Reader:
    """A reader's place, and the live events that do not follow it yet."""

    def __init__(self, live: Subscription, through_pauses: bool):
        self.live = live
        self.held: dict[int, Event] = {}  # by the number before them
        self.ends = TERMINAL if through_pauses else AT_REST
        self.through_pauses = through_pauses
        self.known = False  # the run was there
        self.over = False  # the last reading of the log says that no more will come
        self.more = False  # it stopped at a full page
        self.pause = 0.0
        self.next_look = 0.0
        self.failing_since: float | None = None  # the database, by the monotonic clock
        self.reading: asyncio.Task[log.Page | None] | None = None
        self.reads_from = 0

    async def read_log(self) -> list[Event]:
        """Everything the log has past the cursor, page by page.

        A reading that takes longer than ``LOG_SECONDS`` goes on, and so does what is live: nothing
        until the next call.
        """
        self.over = False
        if self.reading is None:
            self.reads_from = self.live.cursor
            read = in_database(log.read_after, self.live.run_id, self.reads_from)
            self.reading = asyncio.create_task(read)
            await asyncio.wait([self.reading], timeout=LOG_SECONDS)
        if not self.reading.done():
            self.next_look = time.monotonic() + LOG_SECONDS
            return []
        reading, self.reading = self.reading, None
        try:
            page = reading.result()
        except Error as fault:
            self.look_later(fault)
            return []
        self.failing_since = None
        if page is None:
            # Deleted. What comes live is all there is: at best the run's last events.
            self.over = True
            await self.last_words(LAST_WORDS_SECONDS if self.known else 0)
            left, self.held = self.held.values(), {}
            return sorted(left, key=attrgetter("number"))
        self.known = True
        if self.live.cursor != self.reads_from:  # what is live went on, and made this an old page
            self.live.look()
            return []
        self.move_to(page.events)
        # Its status is read first: a run may have left its pause before the events were read.
        moved_on = bool(page.events) and page.events[-1].number > page.last_number
        self.over = (
            page.status in self.ends
            and not (page.more or moved_on)
            and self.live.cursor >= page.last_number
        )
        self.more = page.more
        if page.more or moved_on:
            self.live.look()
        self.pause = min(max(self.pause * 2, FLUSH_SECONDS / 2), LOOK_SECONDS)
        self.next_look = time.monotonic() + self.pause
        return page.events

    def close(self) -> None:
        """Forget a reading that is under way."""
        if self.reading and not self.reading.cancel():
            self.reading.exception()  # or asyncio says that nobody took it

    def look_later(self, fault: Error) -> None:
        """Outlive a restart of the database.

        Raises:
            Error: ``fault``, once this has lasted too long.
        """
        at = time.monotonic()
        if self.failing_since is None:
            logger.warning("The log could not be read; trying again", exc_info=fault)
            self.failing_since = at
        elif at - self.failing_since > OUTAGE_SECONDS:
            raise fault
        self.next_look = at + LOOK_SECONDS

    async def last_words(self, patience: float) -> None:
        """Hold the live events of a run that has just gone, waiting a moment for its end."""
        until = time.monotonic() + patience
        self.hold((await self.live.wait(0))[0])
        while not self.told_the_end() and (rest := until - time.monotonic()) > 0:
            self.hold((await self.live.wait(rest))[0])

    def told_the_end(self) -> bool:
        """Whether an event that ends the run is held."""
        return any(event.name in RUN_ENDS for event in self.held.values())

    def chain(self) -> list[Event]:
        """The held events that follow the cursor without a gap."""
        events = []
        while event := self.held.pop(self.live.cursor, None):
            self.move_to([event])
            events.append(event)
        if events:
            self.known = True
            self.pause = 0.0
            self.held = {p: e for p, e in self.held.items() if e.number > self.live.cursor}
        return events

    def move_to(self, events: list[Event]) -> None:
        """Stand after ``events``; forget what is held of the past."""
        if events:
            self.live.cursor = max(self.live.cursor, events[-1].number)
            self.over = False
        for prev in [p for p, e in self.held.items() if e.number <= self.live.cursor]:
            del self.held[prev]

    def hold(self, pending: Iterable[Event]) -> None:
        """Keep what is new. Of two that claim the same place the later one counts: the
        other is of an attempt that was lost."""
        for event in pending:
            if event.number > self.live.cursor:
                rival = self.held.get(event.prev)
                if rival is None or rival.number < event.number:
                    self.held[event.prev] = event

    def must_look(self) -> bool:
        """Whether a gap stands before what is held, or the log has not been read, and it is time
        to ask it again."""
        gap = bool(self.held) and self.live.cursor not in self.held
        return (gap or self.unread) and time.monotonic() >= self.next_look

    @property
    def unread(self) -> bool:
        """Whether the last reading of the log has failed, or is not at its end."""
        return self.failing_since is not None or self.reading is not None

    def patience(self, beat_at: float) -> float:
        """Seconds to wait for live events: less while the log is to be asked again."""
        at = min(beat_at, self.next_look) if self.held or self.unread else beat_at
        return max(at - time.monotonic(), 0.001)

    def finished(self, events: list[Event]) -> bool:
        """Whether the stream ends after ``events``."""
        if self.over:
            return True
        if not events:
            return False
        pause = events[-1].name == RUN_REQUIRES_ACTION and not self.more
        return events[-1].name in RUN_ENDS or (pause and not self.through_pauses)
