"""The projects that somebody may see, and the one that they work in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.forms import NameForm
from runs.console.pages import PROJECT, ConsoleRequest, form_of, member_only, page, with_id
from runs.contract.errors import BadRequest
from runs.models import Project


@member_only
@require_http_methods(["GET", "POST"])
def projects(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The projects; a POST makes one, and goes on in it."""
    form = NameForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            made = operations.create_project(form.cleaned_data["name"])
        except BadRequest as refusal:
            form.add_error("name", refusal.message)
        else:
            return work_in(request, made)
    context = {"form": form, "projects": operations.projects_of(request.user)}
    status = 422 if form.is_bound else 200
    return page(request, project, "console/projects.html", context, status=status)


@form_of("projects")
@member_only
def choose(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Go on in another project."""
    mine = operations.projects_of(request.user)
    chosen = with_id(mine, request.POST.get("project", "")).first()
    return redirect("console:projects") if chosen is None else work_in(request, chosen)


def work_in(request: ConsoleRequest, chosen: Project) -> HttpResponse:
    """Remember a project in the session."""
    request.session[PROJECT] = chosen.id
    messages.success(request, f"You now work in the project “{chosen.name}”.")
    return redirect("console:projects")
