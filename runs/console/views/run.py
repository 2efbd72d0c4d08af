"""One run: its page, and cancelling it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from runs import operations
from runs.console import export, finding
from runs.console.desk import Desk
from runs.console.neighbours import neighbours_of
from runs.console.pages import ConsoleRequest, find, form_of, member_only, page
from runs.console.payload import payload_of
from runs.console.render import view_of
from runs.console.run_query import RunQuery
from runs.console.text import STATUS_WORDS
from runs.console.timeline import RunView
from runs.contract.errors import NotCancellable
from runs.contract.status import RunStatus
from runs.models import Project, Run, Thread
from runsite.address import absolute


@member_only
@require_GET
def run(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """One run, live."""
    found = find_run(project, thread_id, run_id)
    query = RunQuery.of(request.GET)
    if query.view == "events":
        return redirect(reverse("console:events", args=[thread_id, run_id]) + query.kept)
    if query.view == "json":
        return json_page(request, project, found, query)
    return run_page(request, project, found, query=query)


@form_of("run", "thread_id", "run_id")
@member_only
def cancel(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """Ask a run to stop. One that has ended meanwhile is no error: its page says so."""
    found = find_run(project, thread_id, run_id)
    try:
        found = operations.cancel_run(found)
    except NotCancellable:
        found.refresh_from_db()
        if not request.htmx:
            word = STATUS_WORDS[found.status].lower()
            messages.info(request, f"There was nothing to cancel: the run is {word}.")
    if request.htmx:
        view = view_of(project, found, request.role)
        context = {"view": view, "run": found, "role": request.role}
        return render(request, "console/_run_head.html", context)
    return redirect("console:run", thread_id, run_id)


def find_run(project: Project, thread_id: str, run_id: str) -> Run:
    """The run of this thread; 404 if the two do not belong together."""
    thread = find(Thread.objects.for_project(project), "thread", thread_id)
    return find(Run.objects.for_project(project).filter(thread_id=thread.id), "run", run_id)


def run_page(
    request: ConsoleRequest,
    project: Project,
    found: Run,
    desk: Desk | None = None,
    status: int = 200,
    query: RunQuery | None = None,
) -> HttpResponse:
    """A run's page; ``desk`` if its form was refused."""
    view = view_of(project, found, request.role, query=query)
    context = {
        "view": view,
        "run": found,
        "desk": desk or Desk.of(view),
        "socket": f"/console/ws/runs/{found.id}/?after={found.last_number}",
        "short": short_link(request, found),
        "matches": finding.matches(project, view),
        "errors": finding.errors(view),
        "waiting": RunStatus.REQUIRES_ACTION,
        "neighbours": neighbours_of(project, found, view.query.list),
    }
    return page(request, project, "console/run.html", context, status=status)


def json_page(
    request: ConsoleRequest, project: Project, found: Run, query: RunQuery
) -> HttpResponse:
    """A run, its steps and messages as the API has them."""
    context = {
        "run": found,
        "view": RunView(found, request.role, [], [], query),
        "json": payload_of(export.as_json(project, found)),
    }
    return page(request, project, "console/run_json.html", context)


def short_link(request: ConsoleRequest, found: Run) -> str:
    """The address of a run that needs no thread."""
    return absolute(request, reverse("console:short", args=[found.id]))
