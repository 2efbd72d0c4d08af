"""Runs: the list, one run's page, a new one, cancelling."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from runs import operations
from runs.console.desk import Desk
from runs.console.forms import RunForm
from runs.console.pages import (
    ConsoleRequest,
    base_url,
    find,
    form_of,
    member_only,
    page,
    with_id,
)
from runs.console.paging import page_of
from runs.console.render import view_of
from runs.console.text import STATUS_WORDS
from runs.contract.errors import ApiError, NotCancellable
from runs.contract.status import RunStatus
from runs.models import Assistant, Project, Run, Thread
from runs.providers.demo import MODEL as DEMO_MODEL

AD_HOC = {"made_by": "console"}  # metadata of assistants that the form makes


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
        context = {"view": view_of(project, found, request.role), "run": found}
        return render(request, "console/_run_head.html", context)
    return redirect("console:run", thread_id, run_id)


@member_only
@require_http_methods(["GET", "POST"])
def new_run(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Start a run from a form."""
    if request.method == "GET":
        given = {name: request.GET[name] for name in ("assistant", "thread") if name in request.GET}
        return new_run_page(request, project, RunForm(project=project, initial=given))
    form = RunForm(request.POST, project=project)
    if form.is_valid():
        try:
            made = start_run(project, form)
        except ApiError as refusal:
            form.add_error(refusal.param if refusal.param in form.fields else None, refusal.message)
        else:
            return redirect("console:run", made.thread_id, made.id)
    return new_run_page(request, project, form, status=422)


def new_run_page(
    request: ConsoleRequest, project: Project, form: RunForm, status: int = 200
) -> HttpResponse:
    """The form, with what was typed."""
    context = {"form": form, "demo_model": DEMO_MODEL}
    return page(request, project, "console/run_new.html", context, status=status)


def start_run(project: Project, form: RunForm) -> Run:
    """The run that a valid form asks for."""
    data = form.cleaned_data
    fields: dict[str, Any] = form.fields_of_run()
    fields["assistant_id"] = data["assistant"] or ad_hoc_assistant(project, data["model"]).id
    message = form.message()
    if data["thread"]:
        thread = with_id(Thread.objects.for_project(project), data["thread"]).first()
        if thread is None:
            form.add_error("thread", "No thread with this id in this project.")
            raise ApiError("The run was not started.")
        return operations.create_run(
            thread, fields | {"additional_messages": [message] if message else []}
        )
    return operations.create_thread_and_run(project, fields | {"thread": {"messages": [message]}})


def ad_hoc_assistant(project: Project, model: str) -> Assistant:
    """The assistant for runs that name a model only; one per model and project."""
    rows = Assistant.objects.for_project(project).filter(model=model, metadata=AD_HOC)
    fields = {"model": model, "name": f"Any {model}"[:256], "metadata": AD_HOC}
    return rows.first() or operations.create_assistant(project, fields)


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
    }
    return page(request, project, "console/run.html", context, status=status)
