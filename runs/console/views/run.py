"""One run: its page, and cancelling it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from runs import operations
from runs.console.desk import Desk
from runs.console.neighbours import neighbours_of
from runs.console.pages import (
    ConsoleRequest,
    find,
    form_of,
    member_only,
    page,
)
from runs.console.render import view_of
from runs.console.text import STATUS_WORDS
from runs.contract.errors import NotCancellable
from runs.contract.status import RunStatus
from runs.models import Project, Run, Thread


@member_only
@require_GET
def run(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """One run, live."""
    return run_page(request, project, find_run(project, thread_id, run_id))


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
) -> HttpResponse:
    """A run's page; ``desk`` if its form was refused."""
    view = view_of(project, found, request.role)
    context = {
        "view": view,
        "run": found,
        "desk": desk or Desk.of(view),
        "socket": f"/console/ws/runs/{found.id}/?after={found.last_number}",
        "short": request.build_absolute_uri(reverse("console:short", args=[found.id])),
        "waiting": RunStatus.REQUIRES_ACTION,
        "neighbours": neighbours_of(project, found, request.GET.get("list")),
    }
    return page(request, project, "console/run.html", context, status=status)
