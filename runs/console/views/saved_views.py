"""Saving, renaming and deleting views of the list of runs. To open one is to follow its link."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from runs import operations
from runs.console.filters import BadFilter, read
from runs.console.pages import ConsoleRequest, form_of, member_only
from runs.contract.errors import BadRequest
from runs.models import Project, SavedView


@form_of("runs")
@member_only
def save(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Keep the filters of the list under a name."""
    query = ""
    try:
        query = read(QueryDict(request.POST.get("query", ""))).query
        name = request.POST.get("name", "")
        view = operations.save_view(project, cast(User, request.user), name, query)
    except (BadRequest, BadFilter) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The view “{view}” is saved.")
    return redirect(f"{reverse('console:runs')}?{query}")


@form_of("runs")
@member_only
def change(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """Rename or delete one's own view."""
    mine = SavedView.objects.for_project(project).filter(user=cast(User, request.user))
    view = mine.filter(number=number).first()
    if view is None:
        raise Http404("There is no such view of yours in this project.")
    if request.POST.get("verb") == "delete":
        operations.delete_view(view)
        messages.success(request, f"The view “{view}” is deleted.")
    else:
        try:
            operations.rename_view(view, request.POST.get("name", ""))
        except BadRequest as refusal:
            messages.error(request, str(refusal))
    return redirect(f"{reverse('console:runs')}?{view.query}")
