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
    """Some rows in the order of the list, and the ids from which the neighbouring pages start."""

    rows: list[M]
    back: str | None
    on: str | None


def page_of(
    rows: QuerySet[M],
    query: Mapping[str, str],
    size: int = ROWS,
    *,
    places: QuerySet[M] | None = None,
    oldest_first: bool = False,
) -> RowPage[M]:
    """The page that ``?after=<id>`` (rows further down) or ``?before=<id>`` (further up) asks for.

    ``places`` are the rows that may be named, if more than ``rows``: one may have left a list
    of a status while somebody read it. An id that is not among them starts at the top.
    """
    places = rows if places is None else places
    after = number_of(places, query.get("after"))
    before = number_of(places, query.get("before"))
    down, up = ("number__gt", "number__lt") if oldest_first else ("number__lt", "number__gt")
    order = "number" if oldest_first else "-number"
    if before is not None:
        found = list(rows.filter(**{up: before}).order_by(order).reverse()[: size + 1])
        more = len(found) > size
        found = found[:size][::-1]
        return RowPage(found, edge(found, 0, more), edge(found, -1, there=True))
    if after is not None:
        rows = rows.filter(**{down: after})
    found = list(rows.order_by(order)[: size + 1])
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
