"""Compacting the log of a run that has ended: its deltas become one per part.

Nothing is lost by it: the texts are the same, all other events stay as they are, and a reader
who stands in the middle of what was joined gets the rest of it (``runs.events.seams``).
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter

from runs.contract.events import MESSAGE_DELTA, STEP_DELTA
from runs.contract.limits import UNFLUSHED_CHARACTERS
from runs.events import log
from runs.events.log import Event, Seams
from runs.events.seams import Piece, piece, with_text
from runs.models import EventChunk


@dataclass(slots=True)
class Joined:
    """Deltas of one part that follow each other, without a number between them."""

    first: Event
    pieces: list[Piece]
    last_number: int

    def takes(self, event: Event, added: Piece) -> bool:
        """Whether the event is the next of them."""
        follows = event.number == self.last_number + 1 and event.name == self.first.name
        return follows and added.place == self.pieces[0].place and not added.begins

    def add(self, event: Event, added: Piece) -> None:
        """Take the event in."""
        self.pieces.append(added)
        self.last_number = event.number

    def whole(self) -> tuple[Event, list[int]]:
        """All of them as one event, and their lengths; none of a single one."""
        if len(self.pieces) == 1:
            return self.first, []
        text = "".join(one.text for one in self.pieces)
        wire = with_text(self.first.name, self.first.data, text, begins=True)
        event = replace(self.first, number=self.last_number, data=log.dumps(wire))
        return event, [len(one.text) for one in self.pieces]


def joined(events: Iterable[Event]) -> Iterator[tuple[Event, list[int]]]:
    """The events of a compacted log, each with the lengths of those that it was made of; none
    for one that is as it was."""
    part: Joined | None = None
    for event in events:
        delta = event.name in (MESSAGE_DELTA, STEP_DELTA)
        added = piece(event.name, json.loads(event.data)) if delta else None
        if part and added and part.takes(event, added):
            part.add(event, added)
            continue
        if part:
            yield part.whole()
        part = Joined(event, [added], event.number) if added else None
        if not part:
            yield event, []
    if part:
        yield part.whole()


def compacted(run_id: str) -> list[EventChunk]:
    """The unsaved rows of a run's log, compacted. Rows are as large as a flush may be."""
    rows: list[EventChunk] = []
    events: list[Event] = []
    seams: Seams = {}
    size = 0
    ends: list[tuple[int, datetime]] = []
    for event, lengths in joined(log.parse(bodies(run_id, ends), 0)):
        if events and size + len(event.data) > UNFLUSHED_CHARACTERS:
            rows.append(row(run_id, events, seams, ends))
            events, seams, size = [], {}, 0
        events.append(event)
        size += len(event.data)
        if lengths:
            seams[str(event.number)] = lengths
    return [*rows, row(run_id, events, seams, ends)] if events else rows


def bodies(run_id: str, ends: list[tuple[int, datetime]]) -> Iterator[str]:
    """The bodies of a run's log. ``ends`` gets the last number and the time of each."""
    stored = EventChunk.objects.filter(run_id=run_id).order_by("last_number")
    columns = stored.values_list("last_number", "created_at", "body")
    for last_number, at, body in columns.iterator(chunk_size=100):
        ends.append((last_number, at))
        yield body


def row(
    run_id: str, events: list[Event], seams: Seams, ends: list[tuple[int, datetime]]
) -> EventChunk:
    """One row. It begins with the first number that went into it, and is as old as the last row
    of the log that did."""
    made = log.chunk(run_id, 0, events)
    made.first_number -= max(len(seams.get(str(events[0].number), ())) - 1, 0)
    made.seams = seams or None
    made.created_at = ends[bisect_left(ends, made.last_number, key=itemgetter(0))][1]
    return made
