"""Events and their log: how they are numbered, stored and read back."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runs.contract.events import MESSAGE_DELTA
from runs.contract.status import RunStatus
from runs.events.seams import rest
from runs.models import EventChunk, Run

CHUNKS_PER_READ = 200
#: A reading of the log ends early once it has this much: one that waits for a slow reader
#: stays in memory.
CHARACTERS_PER_READ = 256 * 1024

#: Line ends by Unicode, not by server-sent events: JSON leaves them as they are, and many a
#: client splits with a function that knows them (``str.splitlines``, httpx's ``aiter_lines``).
LINE_ENDS = re.compile("[\x85\u2028\u2029]")

#: Name and wire object of an event that has no number yet.
Fact = tuple[str, dict[str, Any]]

#: The lengths of the deltas that a joined one was made of, by its number.
Seams = dict[str, list[int]]


class StaleRun(Exception):
    """Another writer got to the run first; reload it and decide again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run.

    ``prev`` is the number before it in this run: a reader uses a live event only if
    ``prev`` is where the reader stands. Numbers ascend strictly but may jump. ``data`` is
    the wire object as JSON in one line.
    """

    number: int
    prev: int
    name: str
    data: str

    def frame(self) -> str:
        """The event as it goes over the wire (server-sent events)."""
        return f"id: {self.number}\nevent: {self.name}\ndata: {self.data}\n\n"


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a log, with where its run stands at the moment of reading."""

    events: list[Event]
    more: bool
    status: RunStatus
    last_number: int


def record(run: Run, name: str, wire: dict[str, Any]) -> Event:
    """Give the next number of ``run`` to an event.

    Only the holder of the run's lease, or a transaction that has moved a run without a
    holder, may do this. The run row in memory moves on; writing it is the caller's part.
    """
    event = Event(run.next_number, run.last_number, name, dumps(wire))
    run.last_number = run.next_number
    run.next_number += 1
    return event


def dumps(wire: dict[str, Any]) -> str:
    """JSON in one line, whatever a reader takes for the end of a line."""
    text = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    if text.isascii():
        return text
    return LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def append(run: Run, events: Sequence[Event]) -> None:
    """Store events that :func:`record` numbered, inside the caller's transaction.

    Raises:
        StaleRun: the row is no longer of this status and epoch.
    """
    if not events:
        return
    ours = Run.objects.filter(id=run.id, epoch=run.epoch, status=run.status)
    if not ours.update(next_number=run.next_number, last_number=run.last_number):
        raise StaleRun(run.id)
    chunk(run.id, run.epoch, events).save(force_insert=True)


def write(run: Run, facts: Iterable[Fact], left: Sequence[Event] = ()) -> list[Event]:
    """Number ``facts`` and store them, after the delivered events that are ``left`` to commit.

    Returns the new events, which the caller delivers once its transaction is committed.

    Raises:
        StaleRun: the row is no longer of this status and epoch.
    """
    events = [record(run, name, wire) for name, wire in facts]
    append(run, [*left, *events])
    return events


def unstored(run: Run, events: Sequence[Event]) -> Sequence[Event]:
    """Those of the last ``events`` of this epoch that are not in the log: what a flush was
    refused may have got there by one before it, of which nobody knew that it arrived."""
    log = EventChunk.objects.filter(run_id=run.id, epoch=run.epoch).order_by("-last_number")
    last = log.values_list("last_number", flat=True).first()
    return events if last is None else [event for event in events if event.number > last]


def chunk(run_id: str, epoch: int, events: Sequence[Event]) -> EventChunk:
    """The unsaved row that holds ``events``."""
    return EventChunk(
        run_id=run_id,
        first_number=events[0].number,
        last_number=events[-1].number,
        epoch=epoch,
        body="".join(event.frame() for event in events),
    )


def read_after(run_id: str, after: int, chunks: int = CHUNKS_PER_READ) -> Page | None:
    """The events past ``after``, oldest first, from at most ``chunks`` rows.

    None if there is no such run. The run row is read first: whatever it says of the last
    number is in the rows read after it.
    """
    found = Run.objects.filter(id=run_id).values_list("status", "last_number").first()
    if found is None:
        return None
    events: list[Event] = []
    more, read, size, cursor = True, 0, 0, after
    while more and read < chunks and size < CHARACTERS_PER_READ:
        # A few first, then as many again each time: no row tells its size before it is read.
        at_most = min(max(read, 4), chunks - read)
        some = rows_after(run_id, cursor, at_most)
        more = len(some) == at_most
        for last_number, body, seams in some:
            events += events_of(body, seams, cursor)
            cursor = last_number
            size += len(body)
        read += len(some)
    return Page(events, more, RunStatus(found[0]), found[1])


def rows_after(run_id: str, after: int, at_most: int) -> list[tuple[int, str, Seams | None]]:
    """The next rows of the log that hold events past ``after``. Found by number: between two
    readings a log may be compacted, and has fewer rows then."""
    rows = EventChunk.objects.filter(run_id=run_id, last_number__gt=after).order_by("last_number")
    return list(rows.values_list("last_number", "body", "seams")[:at_most])


def events_of(body: str, seams: Seams | None, after: int) -> Iterable[Event]:
    """The events of a row that are past ``after``; of a joined delta, what is past it."""
    for event in parse([body], after):
        lengths = (seams or {}).get(str(event.number), ())
        seen = after - (event.number - len(lengths))
        if lengths and seen > 0:
            yield replace(event, data=dumps(rest(event.name, event.data, lengths, seen)))
        else:
            yield event


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a log, and when it was committed."""

    event: Event
    at: datetime


def entries(run_id: str, after: int, most: int, name: str = "") -> list[Entry]:
    """At most ``most`` events past ``after``, oldest first; if ``name`` is given, those alone."""
    rows = EventChunk.objects.filter(run_id=run_id, last_number__gt=after)
    if name:
        rows = rows.filter(body__contains=f"\nevent: {name}\n")
    found: list[Entry] = []
    chunks = rows.order_by("last_number").values_list("body", "seams", "created_at")
    for body, seams, at in chunks.iterator(chunk_size=20):  # each may be large
        events = events_of(body, seams, after)
        found += [Entry(event, at) for event in events if name in ("", event.name)]
        if len(found) >= most:
            break
    return found[:most]


def everything(run_id: str) -> Iterator[Event]:
    """All events of a run's log."""
    after, more = 0, True
    while more and (page := read_after(run_id, after)):
        yield from page.events
        after, more = (page.events[-1].number if page.events else after), page.more


def parse(bodies: Iterable[str], after: int) -> Iterable[Event]:
    """The events in stored ``bodies`` whose numbers are above ``after``."""
    prev = after
    for body in bodies:
        for frame in body.split("\n\n")[:-1]:
            number_line, name_line, data_line = frame.split("\n", 2)
            number = int(number_line[4:])
            if number > prev:
                yield Event(number, prev, name_line[7:], data_line[6:])
                prev = number


def parts_so_far(run_id: str, message_id: str) -> list[dict[str, Any]]:
    """The content of a message as far as its deltas are in the log.

    A message row gets its content when it ends; until then the log has it. The shape is
    that of a message's ``content``, parts in the order of their index.
    """
    said: dict[int, tuple[str, list[str]]] = {}  # kind and pieces, by index
    bodies = EventChunk.objects.filter(run_id=run_id, body__contains=message_id)
    for event in parse(bodies.order_by("last_number").values_list("body", flat=True), 0):
        if event.name == MESSAGE_DELTA:
            delta = json.loads(event.data)
            if delta["id"] == message_id:
                for piece in delta["delta"]["content"]:
                    kind, pieces = said.setdefault(piece["index"], (piece["type"], []))
                    pieces.append(piece["text"]["value"] if kind == "text" else piece["refusal"])
    return [part(kind, "".join(pieces)) for _, (kind, pieces) in sorted(said.items())]


def part(kind: str, said: str) -> dict[str, Any]:
    """A part of a message's content, in the wire's shape."""
    if kind == "text":
        return {"type": "text", "text": {"value": said, "annotations": []}}
    return {"type": "refusal", "refusal": said}
