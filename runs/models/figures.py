"""Figures of threads that are in no column of theirs, as columns of a query."""

from typing import Any

from django.db.models import (
    Count,
    F,
    Func,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce, Greatest

from runs.models.event import EventChunk
from runs.models.run import Run
from runs.models.thread import Message, Thread


class Bytes(Func):
    """How many bytes a text or JSON column holds, without what the database adds or saves."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """The length of a text is in characters there, that of a blob in bytes."""
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """JSON is no text there."""
        template = "OCTET_LENGTH((%(expressions)s)::text)"
        return super().as_sql(compiler, connection, template=template, **context)


def of_thread(rows: QuerySet[Any], figure: Any, thread: str = "thread_id") -> Coalesce:
    """An aggregate over those of ``rows`` that a thread has; 0 if it has none."""
    mine = rows.filter(**{thread: OuterRef("id")}).order_by().values(thread)
    found = mine.annotate(figure=figure).values("figure")
    return Coalesce(Subquery(found, output_field=IntegerField()), 0)


def newest(rows: QuerySet[Any]) -> Coalesce:
    """When the newest of those of ``rows`` that a thread has was made; else the thread itself."""
    mine = rows.filter(thread_id=OuterRef("id")).order_by("-number")
    return Coalesce(Subquery(mine.values("created_at")[:1]), F("created_at"))


def with_activity(threads: QuerySet[Thread]) -> QuerySet[Any]:
    """``threads`` with ``last_activity``: when the thread, its newest message or its newest run
    was made, whichever is latest."""
    return threads.annotate(
        last_activity=Greatest(
            F("created_at"), newest(Message.objects.all()), newest(Run.objects.all())
        )
    )


def with_sizes(threads: QuerySet[Any]) -> QuerySet[Any]:
    """``threads`` with how many messages and runs they have, and the bytes of what these say."""
    messages, runs, chunks = Message.objects.all(), Run.objects.all(), EventChunk.objects.all()
    sized: QuerySet[Any] = threads.annotate(
        message_count=of_thread(messages, Count("number")),
        run_count=of_thread(runs, Count("number")),
        bytes=of_thread(messages, Sum(Bytes("content")))
        + of_thread(chunks, Sum(Bytes("body")), "run__thread_id"),
    )
    return sized
