"""Starting a run from a form, with a preview of the calls that do the same."""

import secrets
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console import code
from runs.console.ad_hoc import ad_hoc_assistant
from runs.console.again import form_values
from runs.console.pages import ConsoleRequest, base_url, find, form_of, member_only, page
from runs.console.recent import models_seen, recent_runs
from runs.console.repeats import once
from runs.console.run_form import RunForm
from runs.contract.errors import ApiError
from runs.models import Project, Run
from runs.providers.demo import MODEL as DEMO_MODEL


@member_only
@require_http_methods(["GET", "POST"])
def new_run(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Start a run from a form; it is filled with what another run was asked for ``from_run``."""
    if request.method == "GET":
        return new_run_page(
            request, project, RunForm(project=project, initial=given(request, project))
        )
    form = RunForm(request.POST, project=project)
    if form.is_valid():
        try:
            thread_id, run_id = once(
                request, project, form.cleaned_data["key"], lambda: start_run(project, form)
            )
        except ApiError as refusal:
            form.add_error(None, refusal.message)
        else:
            return redirect("console:run", thread_id, run_id)
    return new_run_page(request, project, form, status=422)


@form_of("new-run")
@member_only
def preview(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The calls that a form stands for; with the whole page where there is no script."""
    form = RunForm(request.POST, project=project)
    form.full_clean()
    if not request.htmx:
        return new_run_page(request, project, form)
    context = preview_of(request, form) | {"form": form, "live": True}
    return render(request, "console/_run_preview.html", context)


def given(request: ConsoleRequest, project: Project) -> dict[str, Any]:
    """What the address fills the form with."""
    values: dict[str, Any] = {}
    if run_id := request.GET.get("from_run"):
        original = find(Run.objects.for_project(project), "run", run_id)
        values = form_values(original)
    for name in ("assistant", "thread", "model"):
        if name in request.GET:
            values[name] = request.GET[name]
    return values | {"key": secrets.token_urlsafe(16)}


def new_run_page(
    request: ConsoleRequest, project: Project, form: RunForm, status: int = 200
) -> HttpResponse:
    """The form, with what was typed."""
    context = {
        "form": form,
        "demo_model": DEMO_MODEL,
        "models": models_seen(project),
        "recent": recent_runs(project),
    }
    if form.is_bound:
        context |= preview_of(request, form)
    return page(request, project, "console/run_new.html", context, status=status)


def preview_of(request: ConsoleRequest, form: RunForm) -> dict[str, Any]:
    """The calls of a form that was looked at, and as code."""
    calls = form.calls()
    return {
        "calls": [(call.line, code.as_json(call.body)) for call in calls],
        "codes": code.in_all(base_url(request), calls),
    }


def start_run(project: Project, form: RunForm) -> Run:
    """The run that a valid form asks for."""
    data = form.cleaned_data
    assistant_id = form.tools_of or ad_hoc_assistant(project, data["model"]).id
    fields = {"assistant_id": assistant_id, **form.settings}
    rerun_of = data["from_run"] or None
    if form.found_thread is not None:
        fields["additional_messages"] = form.added
        return operations.create_run(form.found_thread, fields, rerun_of=rerun_of)
    fields["thread"] = {"messages": form.added}
    return operations.create_thread_and_run(project, fields, rerun_of=rerun_of)
