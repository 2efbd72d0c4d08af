"""Looking for text in runs: what was said, called and answered, metadata and errors.

Each text is compared as a person reads it: JSON by the strings that it stands for, so that an ü
stored as ``\\u00fc`` is found, and without regard to case. No database compares like that, so the
rows are read and compared here, newest first and never more of them than ``Bounds`` allow.
Whoever asks is told how far it went, and may go on from there.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from runs.console.text import part_text
from runs.models import Message, Run, ToolCall

BATCH = 100  # runs whose texts are read at a time
PIECE = 50  # rows that the database hands over at a time


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one search reads at most."""

    runs: int = 2000
    characters: int = 16_000_000


BOUNDS = Bounds()


class Row(NamedTuple):
    """What is read of a run's own row."""

    number: int
    id: str
    thread_id: str
    status: str
    created_at: datetime
    started_at: datetime | None
    metadata: dict[str, str]
    last_error: dict[str, Any] | None
    line_messages: list[dict[str, Any]] | None

    @property
    def began(self) -> datetime:
        """Until when what people wrote in its thread was there for it to read."""
        return self.started_at or self.created_at


class Hit(NamedTuple):
    """A run that holds the text."""

    number: int
    id: str
    status: str


@dataclass
class Found:
    """The runs that hold a text, in the order in which they were looked at."""

    hits: list[Hit] = field(default_factory=list)
    looked: int = 0  # runs that were looked at
    last: str = ""  # the id of the last of them
    edge: int = 0  # its number
    until: datetime | None = None  # when that was created
    whole: bool = True  # whether there were no more

    @property
    def by_status(self) -> dict[str, int]:
        """How many there are of each status."""
        return Counter(hit.status for hit in self.hits)


class TooMuch(Exception):
    """More characters were read than may be."""


@dataclass
class Meter:
    """Counts characters, and at most ``most`` if that is given."""

    most: int = sys.maxsize
    characters: int = 0

    def count(self, text: str) -> str:
        """``text`` itself, counted.

        Raises:
            TooMuch: with it there are more than ``most``.
        """
        self.characters += len(text)
        if self.characters > self.most:
            raise TooMuch
        return text


def look(rows: QuerySet[Run], text: str, *, enough: int = 0, bounds: Bounds = BOUNDS) -> Found:
    """The runs among ``rows``, which are in order, that hold ``text``.

    Stops before the bounds once ``enough`` are found, if that is given. A batch that goes past
    the bound of characters counts as not looked at. If that is the first one, its runs are taken
    one by one, and the first of them whole, however much it holds: else nobody could go on.
    """
    found, needle = Found(), text.casefold()
    meter, size = Meter(bounds.characters), BATCH
    wanted = rows[: bounds.runs + 1].values_list(*Row._fields)
    candidates = [Row(*values) for values in wanted]
    while found.looked < len(candidates):
        if (
            meter.characters > bounds.characters
            or found.looked >= bounds.runs
            or (enough and len(found.hits) >= enough)
        ):
            found.whole = False
            break
        batch = candidates[found.looked : min(found.looked + size, bounds.runs)]
        try:
            holding = {run for run, words in texts(batch, meter) if needle in words.casefold()}
        except TooMuch:
            if not found.looked:
                meter, size = Meter(), 1
            continue
        found.hits += [Hit(row.number, row.id, row.status) for row in batch if row.id in holding]
        found.looked += len(batch)
        found.last, found.edge = batch[-1].id, batch[-1].number
        found.until = batch[-1].created_at
    return found


def texts(batch: list[Row], meter: Meter) -> Iterator[tuple[str, str]]:
    """Each text of the runs of a batch, with the id of a run that has it.

    The runs are the project's, and so is what belongs to them: to join their project once more
    makes SQLite, which keeps no statistics unless told, read all of it for each batch.

    Raises:
        TooMuch: the meter has reached its end.
    """
    for row in batch:
        own = [row.metadata, row.last_error, *(row.line_messages or ())]
        yield row.id, meter.count("\n".join(words_of(value) for value in own))
    ids = [row.id for row in batch]
    for run_id, words in called(ids):
        yield run_id, meter.count(words)
    for run_id, content, metadata in of_runs(ids):
        yield run_id, meter.count(said(content, metadata))
    by_thread = itertools.groupby(sorted(batch, key=lambda row: row.thread_id), thread_of)
    readers = {thread: list(group) for thread, group in by_thread}
    for thread_id, at, content, metadata in of_people(list(readers)):
        words = meter.count(said(content, metadata))
        for row in readers[thread_id]:
            if at <= row.began:
                yield row.id, words


def thread_of(row: Row) -> str:
    """The thread of a run."""
    return row.thread_id


def called(ids: list[str]) -> Iterator[tuple[Any, str]]:
    """Run and text of each tool call: its name, arguments and output."""
    rows = ToolCall.objects.filter(run_id__in=ids)
    columns = rows.values_list("run_id", "name", "arguments", "output")
    for run_id, name, arguments, output in columns.iterator(PIECE):
        yield run_id, "\n".join((name, decoded(arguments), decoded(output or "")))


def of_runs(ids: list[str]) -> Iterator[tuple[Any, Any, Any]]:
    """Run, content and metadata of each message that a run wrote."""
    rows = Message.objects.filter(run_id__in=ids)
    yield from rows.values_list("run_id", "content", "metadata").iterator(PIECE)


def of_people(threads: list[str]) -> Iterator[tuple[Any, datetime, Any, Any]]:
    """Thread, time, content and metadata of each message that no run wrote."""
    rows = Message.objects.filter(thread_id__in=threads, run__isnull=True)
    yield from rows.values_list("thread_id", "created_at", "content", "metadata").iterator(PIECE)


def said(content: Iterable[dict[str, Any]], metadata: dict[str, str]) -> str:
    """The text of a message."""
    return "\n".join([*(part_text(part) for part in content), words_of(metadata)])


def decoded(text: str) -> str:
    """A text, and what it stands for if it is JSON in which characters are escaped."""
    if "\\" not in text:
        return text
    try:
        return f"{text}\n{words_of(json.loads(text))}"
    except (ValueError, RecursionError):  # as models write it: anything
        return text


def words_of(value: Any) -> str:
    """All strings and numbers of a JSON value, keys included, a line each."""
    words, rest = [], [value]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += [*value.values(), *value]
        elif isinstance(value, list):
            rest += value
        elif value is not None:
            words.append(str(value))
    return "\n".join(words)
