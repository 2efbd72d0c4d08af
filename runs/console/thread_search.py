"""Looking for text in threads: what was said in them, and metadata. As in runs: by what a person
reads, newest first, and never further than ``Bounds`` allow."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from runs.console.search import BATCH, BOUNDS, PIECE, Bounds, Meter, said, words_of
from runs.models import Message, Project, Thread


@dataclass
class FoundThreads:
    """The threads that hold a text, newest first, and how far the search went."""

    rows: list[Thread] = field(default_factory=list)
    looked: int = 0
    last: str = ""  # the id of the last thread that was looked at
    whole: bool = True


def look_in_threads(
    project: Project, rows: QuerySet[Thread], text: str, enough: int, bounds: Bounds = BOUNDS
) -> FoundThreads:
    """The first ``enough`` threads, and a few more of their batch, that hold ``text``."""
    found, meter, needle = FoundThreads(), Meter(), text.casefold()
    candidates = rows.order_by("-number").iterator(BATCH)
    while batch := list(itertools.islice(candidates, BATCH)):
        if (
            found.looked >= bounds.runs
            or meter.characters > bounds.characters
            or (len(found.rows) >= enough)
        ):
            found.whole = False
            break
        holding = {
            thread for thread, words in texts(project, batch, meter) if needle in words.casefold()
        }
        found.rows += [thread for thread in batch if thread.id in holding]
        found.looked += len(batch)
        found.last = batch[-1].id
    return found


def texts(project: Project, batch: list[Thread], meter: Meter) -> Iterator[tuple[Any, str]]:
    """Each text of the threads of a batch, with the id of its thread."""
    for thread in batch:
        yield thread.id, meter.count(words_of(thread.metadata))
    messages = Message.objects.for_project(project).filter(
        thread_id__in=[thread.id for thread in batch]
    )
    columns = messages.values_list("thread_id", "content", "metadata")
    for thread_id, content, metadata in columns.iterator(PIECE):
        yield thread_id, meter.count(said(content, metadata))
