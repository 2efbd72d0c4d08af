"""The list of runs, what keeps it current, and the way to a page by a pasted id."""

from typing import Any, cast
from urllib.parse import quote, urlencode

from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from runs.console.filters import BY, PLACES, SORTS, WINDOWS, BadFilter, Filters, chips, read
from runs.console.ids import is_id, place_of
from runs.console.listing import Listing, counts, facets, listing, newer
from runs.console.pages import ConsoleRequest, base_url, find, member_only, page
from runs.console.paging import RowPage
from runs.console.rows import names_of, rows_of
from runs.contract.status import ACTIVE
from runs.models import Assistant, Project, Run, SavedView
from runsite.address import absolute

CHOICES = 200  # assistants that the form offers
WATCHED = 50  # rows that are kept current: those of a page


@member_only
@require_GET
def run_list(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The runs that the filters let pass. An id in place of a text leads to its page."""
    try:
        filters = read(request.GET)
    except BadFilter as bad:
        context = {"problems": bad.problems, "filters": Filters()}
        return page(request, project, "console/run_list.html", context, status=400)
    if filters.text and (place := place_of(project, filters.text)):
        return redirect(place)
    if any(not value for values in request.GET.lists() for value in values[1]):
        return redirect(address(filters))  # as the form sends it: with all that is not filled in
    return page(request, project, "console/run_list.html", shown(request, project, filters))


def shown(request: ConsoleRequest, project: Project, filters: Filters) -> dict[str, Any]:
    """What the page of the list shows."""
    found = listing(project, filters, request.GET)
    at_top = not any(request.GET.get(name) for name in PLACES)
    choices = list(Assistant.objects.for_project(project).order_by("-number")[:CHOICES])
    user = cast(User, request.user)
    views = list(SavedView.objects.for_project(project).filter(user=user))
    return {
        "filters": filters,
        "list": quote(filters.query),
        "chips": list(chips(filters)),
        "listing": found,
        "runs": found.page,
        "rows": rows_of(found.page.rows),
        "assistants": names_of(project, found.page.rows, choices),
        "choices": choices,
        "unlisted": filters.assistant
        if filters.assistant not in {row.id for row in choices}
        else "",
        "models": sorted({row.model for row in choices} | {row.model for row in found.page.rows}),
        "views": views,
        "saved": next((view for view in views if view.query == filters.query), None),
        "windows": WINDOWS,
        "by": BY,
        "sorts": SORTS,
        "link": absolute(request, address(filters)),
        "live": live_address(filters, found.page.rows, at_top=at_top),
        "base_url": base_url(request),
    }


def address(filters: Filters) -> str:
    """The address of the list with these filters."""
    return reverse("console:runs") + (f"?{filters.query}" if filters.query else "")


def live_address(filters: Filters, rows: list[Run], *, at_top: bool) -> str:
    """Where the page asks what has become of its rows that have not ended, and what is new."""
    unended = [run.id for run in rows if run.status in ACTIVE]
    own = {"rows": ",".join(unended), "top": rows[0].id if rows and at_top else ""}
    query = "&".join(filter(None, (filters.query, urlencode(own))))
    return f"{reverse('console:runs-live')}?{query}"


@member_only
@require_GET
def live(request: ConsoleRequest, project: Project) -> HttpResponse:
    """What changed on a page of the list: its rows, the numbers of statuses, and how many runs
    came since. Of a search only the rows: to search every few seconds would cost too much."""
    query: QueryDict = request.GET.copy()
    ids = [run_id for run_id in query.pop("rows", [""])[-1].split(",") if "\0" not in run_id]
    top = query.pop("top", [""])[-1]
    try:
        filters = read(query)
    except BadFilter as bad:
        return HttpResponse(str(bad), status=400, content_type="text/plain")
    found = list(Run.objects.for_project(project).filter(id__in=ids[:WATCHED]))
    numbers = {} if filters.text else counts(project, filters)
    context = {
        "role": request.role,
        "filters": filters,
        "list": quote(filters.query),
        "rows": rows_of(found),
        "assistants": names_of(project, found, ()),
        "listing": Listing(filters, RowPage([], None, None), facets(filters, numbers)),
        "new": newer(project, filters, top) if top and not filters.text else 0,
        "address": address(filters),
    }
    return render(request, "console/_run_list_live.html", context)


@member_only
@require_GET
def go(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Go to whatever a pasted id names; a text that is no id is looked for in the runs."""
    wanted = request.GET.get("id", "").strip()
    if wanted and not is_id(wanted) and "\0" not in wanted:
        return redirect(f"{reverse('console:runs')}?{urlencode({'q': wanted})}")
    place = place_of(project, wanted)
    if place is None:
        raise Http404("Nothing in this project has this id. It may have been deleted.")
    return HttpResponseRedirect(place)


@member_only
@require_GET
def short(request: ConsoleRequest, project: Project, run_id: str) -> HttpResponse:
    """The run's page by its id alone."""
    run = find(Run.objects.for_project(project), "run", run_id)
    return redirect("console:run", run.thread_id, run.id)
