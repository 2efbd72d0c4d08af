"""Pages by cursor: ``limit``, ``order``, ``after``, ``before``.

The order is that of insertion (the column ``number``), not of ``created_at``: several
objects share a second.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict

from runs.api.lookups import one
from runs.contract.limits import PAGE_DEFAULT, PAGE_MAX
from runs.inputs.fields import Choice, Field, Whole
from runs.inputs.refused import Refused, inside

M = TypeVar("M", bound=Model)

LIMIT = Whole(1, PAGE_MAX)
ORDER = Choice(("asc", "desc"))


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list is wanted. Ids are "" when not given."""

    limit: int
    descending: bool
    after: str
    before: str


def page_query(params: QueryDict) -> PageQuery:
    """The list parameters of a query string; others are ignored.

    Raises:
        BadRequest: ``limit`` or ``order`` breaks its rule.
    """
    limit = checked("limit", LIMIT, as_number(params.get("limit") or PAGE_DEFAULT))
    order = checked("order", ORDER, params.get("order") or "desc")
    return PageQuery(limit, order == "desc", params.get("after") or "", params.get("before") or "")


def checked(param: str, field: Field, value: object) -> Any:
    """The value of a query parameter, checked like one of a body."""
    with parameter(param):
        return field.to_internal_value(value)


@contextmanager
def parameter(name: str) -> Iterator[None]:
    """What is refused in the block is the caller's error, in this query parameter."""
    try:
        with inside(name):
            yield
    except Refused as refused:
        raise refused.error() from None


def as_number(given: str | int) -> str | int:
    """A query parameter as the number it spells; anything else stays a string."""
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,18}", given):
        return int(given)
    return given


def page(
    rows: QuerySet[M], query: PageQuery, kind: str, cursors: QuerySet[M] | None = None
) -> tuple[list[M], bool]:
    """One page of ``rows``, and whether there are more in the direction of travel.

    ``after`` travels on in the requested order. ``before`` alone travels back: it gives
    the rows nearest to the cursor, still in the requested order.

    ``cursors`` are the rows that ``after`` and ``before`` may name, if more than ``rows``:
    in a list by status, the last run of a page may have left the list when the next page
    is asked for.

    Raises:
        NotFound: there is no such cursor. ``kind`` is its name in the message.
    """
    part, known = rows, rows if cursors is None else cursors
    if query.after:
        part = part.filter(**beyond(one(known, kind, query.after), descending=query.descending))
    if query.before:
        cursor = one(known, kind, query.before)
        part = part.filter(**beyond(cursor, descending=not query.descending))
    back = bool(query.before) and not query.after
    descending = query.descending != back
    found = list(part.order_by("-number" if descending else "number")[: query.limit + 1])
    more = len(found) > query.limit
    found = found[: query.limit]
    return found[::-1] if back else found, more


def beyond(cursor: Model, *, descending: bool) -> dict[str, Any]:
    """The filter for what follows ``cursor`` in that order."""
    return {"number__lt" if descending else "number__gt": cursor.pk}
