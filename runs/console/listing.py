"""A page of the list of runs: its rows, and how many runs there are of each status."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from django.core.cache import cache
from django.db.models import Count, QuerySet

from runs.console.filters import Filters, matching
from runs.console.paging import ROWS, RowPage, number_of, page_of
from runs.console.search import Found, look
from runs.console.text import STATUS_WORDS
from runs.models import Project, Run

T = TypeVar("T")

COUNTED_FOR = 2  # seconds for which counts are not counted again
NEW_AT_MOST = 1000  # newer runs are counted up to here


@dataclass(frozen=True, slots=True)
class Facet:
    """A status, how many runs have it, and the query string that asks for them."""

    status: str
    number: int
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list shows. ``searched`` tells how far a search for text went."""

    filters: Filters
    page: RowPage[Run]
    facets: list[Facet]
    searched: Found | None = None

    @property
    def total(self) -> int:
        """How many runs there are, of whatever status."""
        return sum(facet.number for facet in self.facets)

    @property
    def matches(self) -> int:
        """How many runs all filters let pass."""
        wanted = self.filters.status
        return sum(facet.number for facet in self.facets if not wanted or facet.status in wanted)

    @property
    def at_any_status(self) -> str:
        """The query string without the status."""
        return replace(self.filters, status=()).query


def listing(project: Project, filters: Filters, query: Mapping[str, str]) -> Listing:
    """The part of the list that ``query`` has the place of."""
    every = Run.objects.for_project(project)
    if filters.text:
        found, page = searched_page(project, filters, query)
        return Listing(filters, page, facets(filters, top(project, filters).by_status), found)
    rows = matching(every, filters)
    page = page_of(rows, query, places=every, oldest_first=filters.oldest_first)
    return Listing(filters, page, facets(filters, counts(project, filters)))


def facets(filters: Filters, numbers: Mapping[str, int]) -> list[Facet]:
    """All statuses with their numbers, those that no run has too."""
    return [
        Facet(
            status=status,
            number=numbers.get(status, 0),
            query=replace(filters, status=(status,)).query,
            chosen=status in filters.status,
        )
        for status in STATUS_WORDS
    ]


def counts(project: Project, filters: Filters) -> dict[str, int]:
    """How many runs of each status the other filters, the text not among them, let pass; up to
    two seconds old."""
    anyhow = replace(filters, status=(), sort="newest")

    def counted() -> dict[str, int]:
        rows = matching(Run.objects.for_project(project), anyhow).order_by()
        return dict(rows.values_list("status").annotate(Count("number")))

    return remembered("counts", project, anyhow, counted)


def top(project: Project, filters: Filters, upto: int | None = None) -> Found:
    """What a search finds from the top of the list, of whatever status; as old as counts.

    With ``upto``, as if the run of this number were the newest."""
    anyhow = replace(filters, status=())

    def found() -> Found:
        rows = ordered(project, anyhow)
        return look(rows if upto is None else rows.filter(number__lte=upto), filters.text)

    return remembered(f"top:{upto}", project, anyhow, found)


def remembered(kind: str, project: Project, filters: Filters, make: Callable[[], T]) -> T:
    """What ``make`` gives, unless it was made for the same filters a moment ago."""
    name = hashlib.sha256(filters.query.encode()).hexdigest()
    found: Any = cache.get_or_set(f"runs:{kind}:{project.id}:{name}", make, COUNTED_FOR)
    return cast(T, found)


def ordered(project: Project, filters: Filters) -> QuerySet[Run]:
    """The runs that all filters but the text let pass, in the order of the list."""
    rows = matching(Run.objects.for_project(project), filters)
    return rows.order_by("number" if filters.oldest_first else "-number")


def searched_page(
    project: Project, filters: Filters, query: Mapping[str, str]
) -> tuple[Found, RowPage[Run]]:
    """A page of a search, and how far it went. It leads down, and from there to the top again."""
    every = Run.objects.for_project(project)
    after = number_of(every, query.get("after"))
    if after is None:
        found = top(project, filters)
    else:
        down = {"number__gt" if filters.oldest_first else "number__lt": after}
        found = look(ordered(project, filters).filter(**down), filters.text, enough=ROWS + 1)
    hits = [hit for hit in found.hits if not filters.status or hit.status in filters.status]
    shown = [hit.number for hit in hits[:ROWS]]
    rows = {run.number: run for run in every.filter(number__in=shown)}
    on = hits[ROWS - 1].id if len(hits) > ROWS else (None if found.whole else found.last)
    return found, RowPage([rows[number] for number in shown if number in rows], None, on)


def newer(project: Project, filters: Filters, top_id: str) -> int:
    """How many runs came to the list, which is no search, above the run ``top_id``; 0 if there
    is no such run."""
    place = number_of(Run.objects.for_project(project), top_id)
    if place is None or filters.oldest_first:
        return 0
    return ordered(project, filters).filter(number__gt=place)[:NEW_AT_MOST].count()
