"""Projects and their API keys."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.forms import NameForm
from runs.console.pages import (
    PROJECT,
    ConsoleRequest,
    base_url,
    find,
    form_of,
    operator_only,
    page,
    with_id,
)
from runs.contract.errors import BadRequest
from runs.models import ApiKey, Project


@operator_only
@require_http_methods(["GET", "POST"])
def keys(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The keys of the project. A POST makes one, and its answer alone shows it."""
    if request.method == "GET":
        return keys_page(request, project)
    form = NameForm(request.POST)
    if not form.is_valid():
        return keys_page(request, project, form=form, status=422)
    key, plaintext = operations.create_key(project, form.cleaned_data["name"])
    return keys_page(request, project, created=key, plaintext=plaintext)


@form_of("keys")
@operator_only
def revoke(request: ConsoleRequest, project: Project, key_id: str) -> HttpResponse:
    """Make a key useless at once."""
    key = find(ApiKey.objects.for_project(project), "API key", key_id)
    operations.revoke_key(key)
    messages.success(request, f"The key “{key.name}” is revoked.")
    return redirect("console:keys")


@form_of("keys")
@operator_only
def create_project(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Make a project and go on in it."""
    form = NameForm(request.POST)
    if form.is_valid():
        try:
            made = operations.create_project(form.cleaned_data["name"])
        except BadRequest as refusal:
            form.add_error("name", refusal.message)
        else:
            request.session[PROJECT] = made.id
            messages.success(request, f"You now work in the project “{made.name}”.")
            return redirect("console:keys")
    return keys_page(request, project, project_form=form, status=422)


@form_of("keys")
@operator_only
def choose_project(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Go on in another project."""
    chosen = with_id(Project.objects.all(), request.POST.get("project", "")).first()
    if chosen is not None:
        request.session[PROJECT] = chosen.id
        messages.success(request, f"You now work in the project “{chosen.name}”.")
    return redirect("console:keys")


def keys_page(
    request: ConsoleRequest, project: Project, status: int = 200, **context: object
) -> HttpResponse:
    """The page; ``form`` and ``project_form`` with what was typed, where it was refused."""
    rows = ApiKey.objects.for_project(project)
    shown = {
        "form": NameForm(),
        "project_form": NameForm(),
        "keys": rows.filter(revoked_at=None),
        "revoked": rows.exclude(revoked_at=None),
        "projects": Project.objects.all(),
        "base_url": base_url(request),
    }
    return page(request, project, "console/keys.html", shown | context, status=status)
