"""Assistants: the list, the editor, and the versions of one."""

from datetime import timedelta
from itertools import zip_longest
from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from runs import operations
from runs.console.assistants import AssistantForm
from runs.console.differences import Change, changes
from runs.console.pages import ConsoleRequest, find, form_of, member_only, page, with_id
from runs.console.paging import page_of
from runs.contract.limits import LARGEST
from runs.models import Assistant, AssistantVersion, Project, Run
from runs.operations.assistants import settings_of

RECENT = timedelta(days=7)
VERSIONS = 20  # of a page


@member_only
@require_GET
def assistants(request: ConsoleRequest, project: Project) -> HttpResponse:
    """All assistants, newest first, or those whose name, model or id has ``?q=`` in it."""
    wanted = request.GET.get("q", "").strip()
    rows = Assistant.objects.for_project(project)
    found = page_of(matching(rows, wanted) if wanted else rows, request.GET)
    runs = Run.objects.for_project(project).order_by()
    runs = runs.filter(assistant_id__in=[row.id for row in found.rows])
    recent = runs.filter(created_at__gte=timezone.now() - RECENT)
    last = runs.values("assistant_id").annotate(last=Max("number")).values_list("last", flat=True)
    context = {
        "assistants": found,
        "q": wanted,
        "recent": dict(recent.values_list("assistant_id").annotate(Count("number"))),
        "last": {run.assistant_id: run for run in runs.filter(number__in=list(last))},
    }
    return page(request, project, "console/assistant_list.html", context)


def matching(rows: QuerySet[Assistant], wanted: str) -> QuerySet[Assistant]:
    """The rows in whose name, model or id some text is. PostgreSQL looks for no NUL."""
    if "\0" in wanted:
        return rows.none()
    return rows.filter(
        Q(name__icontains=wanted) | Q(model__icontains=wanted) | Q(id__icontains=wanted)
    )


@member_only
@require_http_methods(["GET", "POST"])
def new(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Make an assistant."""
    form = AssistantForm(request.POST or None)
    if not form.is_bound or "check" in request.POST or not form.is_valid():
        return editor(request, project, form)
    author = cast(User, request.user)
    made = operations.create_assistant(project, form.settings, by=author)
    messages.success(request, f"The assistant “{made}” is made.")
    return redirect("console:assistant", made.id)


@member_only
@require_http_methods(["GET", "POST"])
def assistant(request: ConsoleRequest, project: Project, assistant_id: str) -> HttpResponse:
    """An assistant in its editor. What is saved becomes the next version, unless somebody else
    has saved one meanwhile: then both are shown."""
    found = find(Assistant.objects.for_project(project), "assistant", assistant_id)
    if request.method == "GET":
        return editor(request, project, AssistantForm.of(found), found)
    form = AssistantForm(request.POST)
    if "check" in request.POST or not form.is_valid():
        return editor(request, project, form, found)
    over, fields = form.cleaned_data["version"], form.settings
    try:
        saved = operations.update_assistant(found, fields, by=cast(User, request.user), over=over)
    except operations.Outdated as newer:
        theirs = settings_of(newer.assistant)
        differences = changes(theirs, theirs | fields)
        return editor(request, project, form, newer.assistant, differences, status=409)
    same = saved.version == over
    messages.success(request, "Nothing was changed." if same else f"Saved as v{saved.version}.")
    return redirect("console:assistant", saved.id)


def editor(
    request: ConsoleRequest,
    project: Project,
    form: AssistantForm,
    found: Assistant | None = None,
    conflict: list[Change] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The editor, with what was typed. ``conflict``: how that differs from what somebody else
    saved meanwhile; whoever has seen it may save over that."""
    context = {
        "form": form,
        "assistant": found,
        "version": found.version if found and conflict is not None else form["version"].value(),
        "conflict": conflict,
        "checked": "check" in request.POST and form.is_valid(),
        "functions": form.functions(),
    }
    status = 422 if form.is_bound and form.errors else status
    return page(request, project, "console/assistant.html", context, status=status)


@form_of("assistant", "assistant_id")
@member_only
def delete(request: ConsoleRequest, project: Project, assistant_id: str) -> HttpResponse:
    """Delete an assistant; its runs go on, and its versions stay."""
    found = find(Assistant.objects.for_project(project), "assistant", assistant_id)
    operations.delete_assistant(found)
    messages.success(request, f"The assistant “{found}” is deleted.")
    return redirect("console:assistants")


@member_only
@require_GET
def versions(request: ConsoleRequest, project: Project, assistant_id: str) -> HttpResponse:
    """The versions of an assistant below ``?below=``, newest first, each with what it changed.
    Those of a deleted one are there too."""
    rows = versions_of(project, assistant_id)
    below = request.GET.get("below", "")
    if below:
        if not (below.isascii() and below.isdecimal() and int(below[:10]) <= LARGEST):
            raise Http404("“below” must be the number of a version.")
        rows = rows.filter(version__lt=int(below[:10]))
    found = list(rows.select_related("user", "key")[: VERSIONS + 1])
    kept = with_id(Assistant.objects.for_project(project), assistant_id).first()
    if not found and kept is None:
        raise Http404("No assistant with this id in this project, and no versions of one.")
    context = {
        "assistant": kept,
        "assistant_id": assistant_id,
        "entries": [
            (row, changes(before.settings, row.settings) if before else None)
            for row, before in zip_longest(found, found[1:])
        ][:VERSIONS],
        "older": found[VERSIONS - 1].version if len(found) > VERSIONS else None,
        "newer": bool(below),
    }
    return page(request, project, "console/assistant_versions.html", context)


def versions_of(project: Project, assistant_id: str) -> QuerySet[AssistantVersion]:
    """The versions of an assistant, newest first. PostgreSQL looks for no id with a NUL."""
    rows = AssistantVersion.objects.for_project(project).order_by("-version")
    return rows.none() if "\0" in assistant_id else rows.filter(assistant_id=assistant_id)


@form_of("assistant-versions", "assistant_id")
@member_only
def restore(
    request: ConsoleRequest, project: Project, assistant_id: str, version: int
) -> HttpResponse:
    """Take the settings of an older version for the next one."""
    found = find(Assistant.objects.for_project(project), "assistant", assistant_id)
    older = versions_of(project, assistant_id).filter(version=min(version, LARGEST)).first()
    if older is None:
        raise Http404("No such version of this assistant.")
    now = found.version
    saved = operations.update_assistant(found, older.settings, by=cast(User, request.user))
    told = f"v{version} is back, as v{saved.version}."
    same = saved.version == now
    messages.success(request, "Nothing was changed." if same else told)
    return redirect("console:assistant-versions", assistant_id)
