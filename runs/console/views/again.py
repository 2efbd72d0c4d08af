"""A run once more: as code to copy, and started again."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from runs import operations
from runs.console import code
from runs.console.again import calls_of, submissions
from runs.console.pages import ConsoleRequest, base_url, form_of, member_only, page
from runs.console.repeats import once
from runs.console.views.run import find_run
from runs.contract.errors import ApiError
from runs.models import Project

#: The code of a long thread is as long as the thread: more than this is for download.
SHOWN = 64 * 1024  # characters
FILES = {"Python": "py", "Node.js": "mjs", "curl": "sh"}


@member_only
@require_GET
def run_code(
    request: ConsoleRequest, project: Project, thread_id: str, run_id: str
) -> HttpResponse:
    """Code that asks for what a run was asked; one language as a file for ``download``."""
    run = find_run(project, thread_id, run_id)
    codes = code.in_all(base_url(request), calls_of(run))
    if "download" in request.GET:
        return download(run.id, codes, request.GET["download"])
    steps = run.steps.order_by("number").prefetch_related("tool_calls")
    context: dict[str, Any] = {
        "run": run,
        "codes": {name: text for name, text in codes.items() if len(text) <= SHOWN},
        "long": {FILES[name]: len(text) for name, text in codes.items() if len(text) > SHOWN},
        "files": FILES,
        "submissions": [
            (step, code.in_all(base_url(request), [call]))
            for step, call in submissions(run, list(steps))
        ],
    }
    return page(request, project, "console/run_code.html", context)


def download(run_id: str, codes: dict[str, str], wanted: str) -> HttpResponse:
    """The code of one language as a file."""
    names = {ending: name for name, ending in FILES.items()}
    if wanted not in names:
        raise Http404(f"Code can be downloaded as {', '.join(names)}.")
    response = HttpResponse(codes[names[wanted]], content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{run_id}.{wanted}"'
    return response


@form_of("run", "thread_id", "run_id")
@member_only
def rerun(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """Start a run with the same input and settings on a new thread. If that is refused, the
    original's page says why."""
    original = find_run(project, thread_id, run_id)
    key = request.POST.get("key", "")
    try:
        made = once(request, project, key, lambda: operations.rerun(original))
    except ApiError as refusal:
        messages.error(request, refusal.message)
        return redirect("console:run", thread_id, run_id)
    return redirect("console:run", *made)
