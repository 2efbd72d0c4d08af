"""A thread as a conversation: a window of its messages, with the marks of the runs among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from runs.console.pages import with_id
from runs.console.paging import RowPage, page_of
from runs.models import Message, Run

WINDOW = 100  # messages that are shown at a time
ABOVE = 20  # newer messages above one that was asked for
MARKS = 200  # runs whose marks are shown in a window


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a conversation: a message, or the mark of a run."""

    at: datetime
    message: Message | None = None
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is shown of a thread, oldest first. ``older`` and ``newer`` are ids of messages from
    which the neighbouring windows start."""

    entries: list[Entry]
    older: str | None
    newer: str | None


def conversation(
    messages: QuerySet[Message], runs: QuerySet[Run], query: Mapping[str, str]
) -> Conversation:
    """The window that ``?message=<id>``, ``?after=<id>`` (older) or ``?before=<id>`` (newer)
    asks for; the newest messages otherwise.

    A run stands after the message it answers, which the thread of a run in line gets as the run
    begins.
    """
    found = window(messages, query)
    shown = found.rows[::-1]
    marks = among(runs, shown, found).order_by("began", "number")[:MARKS]
    entries = [Entry(message.created_at, message=message) for message in shown]
    entries += [Entry(run.began, run=run) for run in marks]
    return Conversation(sorted(entries, key=attrgetter("at")), found.on, found.back)


def window(messages: QuerySet[Message], query: Mapping[str, str]) -> RowPage[Message]:
    """Messages, newest first."""
    wanted = with_id(messages, query.get("message", "")).first()
    if wanted is None:
        return page_of(messages, query, WINDOW)
    newer = messages.filter(number__gt=wanted.number).order_by("number")
    start = list(newer[: ABOVE + 1])
    if len(start) <= ABOVE:  # it is among the newest
        return page_of(messages, {}, WINDOW)
    return page_of(messages, {"after": start[-1].id}, WINDOW)


def among(runs: QuerySet[Run], shown: list[Message], found: RowPage[Message]) -> QuerySet[Any]:
    """The runs that ``began`` between the first and the last message shown."""
    placed = runs.annotate(began=Coalesce("started_at", "created_at"))
    if shown and found.on:
        placed = placed.filter(began__gte=shown[0].created_at)
    if shown and found.back:
        placed = placed.filter(began__lte=shown[-1].created_at)
    return placed
