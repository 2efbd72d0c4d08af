"""Live events and hints between processes, through the channel layer.

As all that is live, a message may be lost, doubled or late: readers chain what they get and
look at the log besides, and drivers look at their rows. While the layer's server is away
nothing is kept for it.
"""

import asyncio
import contextvars
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import astuple
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from runs.events.hub import BOUND, BOUND_CHARACTERS, Hub, hub
from runs.events.log import Event
from runs.events.tasks import asked_to_end

logger = logging.getLogger(__name__)

CONTROL = "runs.control"
TYPE = "runs.relay"  # of our messages; channels asks for one
#: For one call of the layer. Its own timeouts are longer, and nothing live is worth them.
CALL_SECONDS = 1.0
RETRY_SECONDS = 0.5

#: What to do for a run that another process asks to be stopped.
Stop = Callable[[str], None]


class Relay:
    """This process's connection to the others. Lives on one loop, between start and stop."""

    def __init__(self, readers: Hub):
        self.hub = readers
        self.name = uuid.uuid4().hex  # of this process, to know its own messages
        self.on_stop: Stop | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.layer: Any = None
        self.channel = ""
        self.tasks: list[asyncio.Task[None]] = []
        self.lock = threading.Lock()
        self.outbox: dict[str, list[Event] | None] = {}  # None: too much, look at the log
        self.stops: set[str] = set()
        self.filled = asyncio.Event()
        self.changed = asyncio.Event()
        self.reachable = True

    async def start(self) -> None:
        """Connect, where other processes are to be reached at all. Does not wait for the server."""
        if self.tasks or not settings.REDIS_URL:
            return
        self.loop = asyncio.get_running_loop()
        self.layer = get_channel_layer()
        self.filled, self.changed = asyncio.Event(), asyncio.Event()
        self.changed.set()
        self.tasks = [self._task(self._send()), self._task(self._join())]
        self.hub.outside = self

    async def stop(self) -> None:
        """Send what waits, as far as that works at once, and disconnect."""
        if not self.tasks:
            return
        self.hub.outside = None
        with suppress(Exception):
            await self._send_all()
        while tasks := self.tasks:
            self.tasks = []  # one more may be begun by those that end
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Exception):
            async with asyncio.timeout(CALL_SECONDS):
                await self.layer.flush()
        self.loop, self.channel = None, ""

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, context=contextvars.Context())

    # --- from any thread ---

    def send(self, run_id: str, events: Sequence[Event]) -> None:
        """Tell the readers of other processes what happened."""
        with self.lock:
            waiting = self.outbox.setdefault(run_id, [])
            if waiting is not None:
                waiting.extend(events)
                many = sum(len(event.data) for event in waiting) > BOUND_CHARACTERS
                if many or len(waiting) > BOUND:
                    self.outbox[run_id] = None
        self._call(self.filled.set)

    def stop_run(self, run_id: str) -> None:
        """Have whoever drives the run elsewhere look at its row. Nothing if not connected."""
        if self.loop is None:
            return
        with self.lock:
            self.stops.add(run_id)
        self._call(self.filled.set)

    def readers_changed(self) -> None:
        """Somebody has begun or ended to read a run here."""
        self._call(self.changed.set)

    def _call(self, func: Callable[[], None]) -> None:
        if loop := self.loop:
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(func)

    # --- on the loop ---

    async def _send(self) -> None:
        while not asked_to_end():
            await self.filled.wait()
            self.filled.clear()
            if not await self._reaches(self._send_all) and not asked_to_end():
                await asyncio.sleep(RETRY_SECONDS)

    async def _send_all(self) -> None:
        with self.lock:
            outbox, self.outbox = self.outbox, {}
            stops, self.stops = self.stops, set()
        for run_id in stops:
            await self._send_one(CONTROL, {"run": run_id})
        for run_id, events in outbox.items():
            rows = None if events is None else [astuple(event) for event in events]
            await self._send_one(group_of(run_id), {"run": run_id, "events": rows})

    async def _send_one(self, group: str, message: dict[str, Any]) -> None:
        async with asyncio.timeout(CALL_SECONDS):
            await self.layer.group_send(group, {"type": TYPE, "from": self.name, **message})

    async def _join(self) -> None:
        """Be in the groups of the runs that are read here, and of those that are driven."""
        joined: set[str] = set()
        while not asked_to_end():
            await self.changed.wait()
            self.changed.clear()
            if not await self._reaches(self._join_and_leave, joined) and not asked_to_end():
                await asyncio.sleep(RETRY_SECONDS)
                self.changed.set()

    async def _join_and_leave(self, joined: set[str]) -> None:
        if not self.channel:
            self.channel = await self._new_channel()
            self.tasks.append(self._task(self._receive()))
        reading = {group_of(run_id): run_id for run_id in self.hub.reading()}
        wanted = {CONTROL, *reading}
        for group in wanted - joined:
            async with asyncio.timeout(CALL_SECONDS):
                await self.layer.group_add(group, self.channel)
            joined.add(group)
            if group in reading:  # what was sent before this is in the log only
                self.hub.look(reading[group])
        for group in joined - wanted:
            joined.discard(group)
            async with asyncio.timeout(CALL_SECONDS):
                await self.layer.group_discard(group, self.channel)

    async def _new_channel(self) -> str:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return str(await self.layer.new_channel())
        except Exception:
            with suppress(Exception):  # the layer would keep a queue for each that failed
                async with asyncio.timeout(CALL_SECONDS):
                    await self.layer.flush()
            raise

    async def _reaches(self, call: Callable[..., Awaitable[None]], *args: Any) -> bool:
        """Make a call to the layer; whether it arrived. Says once when that changes."""
        try:
            await call(*args)
        except Exception as fault:  # any driver's error, and the timeout: it is not there
            if self.reachable:
                logger.warning("Redis cannot be reached; readers poll the log", exc_info=fault)
            self.reachable = False
        else:
            if not self.reachable:
                logger.warning("Redis is reached again")
            self.reachable = True
        return self.reachable

    async def _receive(self) -> None:
        while not asked_to_end():
            try:
                self._take(await self.layer.receive(self.channel))
            except Exception:  # of a process of another version, perhaps: the log has it all
                logger.exception("A message of another process was not understood")
                await asyncio.sleep(0)

    def _take(self, message: dict[str, Any]) -> None:
        run_id = message["run"]
        if message["from"] == self.name:
            return
        if "events" not in message:
            if self.on_stop is not None:
                self.on_stop(run_id)
        elif message["events"] is None:
            self.hub.look(run_id)
        else:
            self.hub.deliver(run_id, [Event(*row) for row in message["events"]])


def group_of(run_id: str) -> str:
    """The name of the group of a run's readers."""
    return f"run.{run_id}"


#: The relay of this process.
relay = Relay(hub)
