"""Pages of a list by the place of a row, not by counting: new rows do not shift them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from django.db.models import QuerySet

from runs.console.pages import with_id
from runs.models.columns import M

ROWS = 50


@dataclass(frozen=True, slots=True)
class RowPage(Generic[M]):
    """Some rows, newest first, and the ids from which the neighbouring pages start."""

    rows: list[M]
    newer: str | None
    older: str | None


def page_of(rows: QuerySet[M], query: Mapping[str, str], size: int = ROWS) -> RowPage[M]:
    """The page that ``?after=<id>`` (older rows) or ``?before=<id>`` (newer rows) asks for.

    An id that is not among ``rows`` starts at the newest row.
    """
    after, before = number_of(rows, query.get("after")), number_of(rows, query.get("before"))
    if before is not None:
        found = list(rows.filter(number__gt=before).order_by("number")[: size + 1])
        more = len(found) > size
        found = found[:size][::-1]
        return RowPage(found, edge(found, 0, more), edge(found, -1, there=True))
    if after is not None:
        rows = rows.filter(number__lt=after)
    found = list(rows.order_by("-number")[: size + 1])
    more = len(found) > size
    found = found[:size]
    return RowPage(found, edge(found, 0, after is not None), edge(found, -1, more))


def number_of(rows: QuerySet[M], object_id: str | None) -> int | None:
    """The place of a row of this id; None if there is none."""
    found = with_id(rows, object_id or "")
    return found.values_list("number", flat=True).first() if object_id else None


def edge(rows: list[M], index: int, there: bool) -> str | None:
    """The id of the first or last row, if there is more past it."""
    return rows[index].id if rows and there else None  # type: ignore[attr-defined] # all have one
