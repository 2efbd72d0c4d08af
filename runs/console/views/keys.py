"""The API keys of a project."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.forms import NameForm
from runs.console.pages import (
    ConsoleRequest,
    base_url,
    find,
    form_of,
    member_only,
    page,
)
from runs.models import ApiKey, Project


@member_only
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
@member_only
def revoke(request: ConsoleRequest, project: Project, key_id: str) -> HttpResponse:
    """Make a key useless at once."""
    key = find(ApiKey.objects.for_project(project), "API key", key_id)
    operations.revoke_key(key)
    messages.success(request, f"The key “{key.name}” is revoked.")
    return redirect("console:keys")


def keys_page(
    request: ConsoleRequest, project: Project, status: int = 200, **context: object
) -> HttpResponse:
    """The page; ``form`` with what was typed, if it was refused."""
    rows = ApiKey.objects.for_project(project)
    shown = {
        "form": NameForm(),
        "keys": rows.filter(revoked_at=None),
        "revoked": rows.exclude(revoked_at=None),
        "base_url": base_url(request),
    }
    return page(request, project, "console/keys.html", shown | context, status=status)
