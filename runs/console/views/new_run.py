"""Starting a run from a form."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.forms import RunForm
from runs.console.pages import (
    ConsoleRequest,
    member_only,
    page,
    with_id,
)
from runs.contract.errors import ApiError
from runs.models import Assistant, Project, Run, Thread
from runs.providers.demo import MODEL as DEMO_MODEL

AD_HOC = {"made_by": "console"}  # metadata of assistants that the form makes


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
