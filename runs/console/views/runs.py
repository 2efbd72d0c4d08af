"""The list of runs, and the way to a page by a pasted id."""

from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from runs.console.pages import (
    ConsoleRequest,
    base_url,
    find,
    member_only,
    page,
)
from runs.console.paging import page_of
from runs.console.text import STATUS_WORDS
from runs.models import Assistant, Project, Run


@member_only
@require_GET
def overview(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Where the console begins: the list of runs."""
    return redirect("console:runs")


@member_only
@require_GET
def run_list(request: ConsoleRequest, project: Project) -> HttpResponse:
    """All runs, newest first, by status."""
    rows = Run.objects.for_project(project)
    status = request.GET.get("status", "")
    if status and status not in STATUS_WORDS:
        raise Http404(f"There is no status “{status}”.")
    counts = dict(rows.order_by().values_list("status").annotate(Count("number")))
    found = page_of(rows.filter(status=status) if status else rows, request.GET)
    names = Assistant.objects.for_project(project).filter(
        id__in={run.assistant_id for run in found.rows}
    )
    context = {
        "status": status,
        "facets": [(name, counts.get(name, 0)) for name in STATUS_WORDS],
        "total": sum(counts.values()),
        "runs": found,
        "assistants": {row.id: str(row) for row in names},
        "base_url": base_url(request),
    }
    return page(request, project, "console/run_list.html", context)


@member_only
@require_GET
def go(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Go to whatever a pasted id names."""
    wanted = request.GET.get("id", "").strip()
    if wanted.startswith("thread_"):
        return redirect("console:thread", wanted)
    if wanted.startswith("run_"):
        return redirect("console:short", wanted)
    raise Http404("Only runs and threads have pages. Their ids begin with run_ and thread_.")


@member_only
@require_GET
def short(request: ConsoleRequest, project: Project, run_id: str) -> HttpResponse:
    """The run's page by its id alone."""
    run = find(Run.objects.for_project(project), "run", run_id)
    return redirect("console:run", run.thread_id, run.id)
