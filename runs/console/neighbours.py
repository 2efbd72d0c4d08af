"""The way from a run's page through the list that it was opened from, and back to it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.http import QueryDict
from django.urls import reverse

from runs.console.filters import BadFilter, Filters, read
from runs.console.listing import ordered, top
from runs.console.paging import ROWS
from runs.models import Project, Run


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Where a run stands in a list. ``position`` is 0 if it has left it since."""

    back: str
    position: int = 0
    total: int = 0
    more: bool = False  # whether ``total`` is only what was looked at
    above: str = ""  # the addresses of the runs beside it; empty at an end
    below: str = ""


def neighbours_of(project: Project, run: Run, query: str | None) -> Neighbours | None:
    """The neighbours of a run in the list of this query string; None without one, or with one
    that is no list's."""
    if query is None:
        return None
    try:
        filters = read(QueryDict(query))
    except BadFilter:
        return None
    return in_search(project, run, filters) if filters.text else in_list(project, run, filters)


def in_list(project: Project, run: Run, filters: Filters) -> Neighbours:
    """Its neighbours by the database."""
    rows = ordered(project, filters)
    newer, older = Q(number__gt=run.number), Q(number__lt=run.number)
    up, down = (older, newer) if filters.oldest_first else (newer, older)
    above, below = rows.filter(up).reverse().first(), rows.filter(down).first()
    numbers = rows.order_by().aggregate(
        above=Count("number", filter=up),
        here=Count("number", filter=Q(number=run.number)),
        total=Count("number"),
    )
    position = numbers["above"] + 1 if numbers["here"] else 0
    return Neighbours(
        back=back_to(filters, run, above, numbers["above"]),
        position=position,
        total=numbers["total"],
        above=address(above, filters),
        below=address(below, filters),
    )


def in_search(project: Project, run: Run, filters: Filters) -> Neighbours:
    """Its neighbours among what the search for the list's text found."""
    found = top(project, filters)
    hits = [hit for hit in found.hits if not filters.status or hit.status in filters.status]
    places = {hit.id: index for index, hit in enumerate(hits)}
    if run.id not in places:
        return Neighbours(back=back_to(filters, run, None, 0), total=len(hits))
    index = places[run.id]
    beside = [hit.number for hit in hits[max(index - 1, 0) : index + 2]]
    rows = {row.id: row for row in Run.objects.for_project(project).filter(number__in=beside)}
    above = rows.get(hits[index - 1].id) if index else None
    below = rows.get(hits[index + 1].id) if index + 1 < len(hits) else None
    return Neighbours(
        back=back_to(filters, run, above, index),
        position=index + 1,
        total=len(hits),
        more=not found.whole,
        above=address(above, filters),
        below=address(below, filters),
    )


def address(run: Run | None, filters: Filters) -> str:
    """The address of a neighbour's page, from which the same list goes on."""
    if run is None:
        return ""
    page = reverse("console:run", args=[run.thread_id, run.id])
    return f"{page}?{urlencode({'list': filters.query})}"


def back_to(filters: Filters, run: Run, above: Run | None, distance: int) -> str:
    """The address of the page of the list that the run is on, and of its row there."""
    after = urlencode({"after": above.id}) if above and distance >= ROWS else ""
    query = "&".join(filter(None, (filters.query, after)))
    return f"{reverse('console:runs')}{'?' if query else ''}{query}#{run.id}"
