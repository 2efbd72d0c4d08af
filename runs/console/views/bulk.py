"""Cancelling, deleting and exporting many runs at once."""

from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from runs import operations
from runs.console.bulk import (
    AT_ONCE,
    VERBS,
    Choice,
    Outcome,
    cancel,
    carry_out,
    choice_of,
    delete,
    extent_of,
    hidden,
    number,
    searched,
    suited,
)
from runs.console.exports import FORMS, pieces
from runs.console.filters import BadFilter
from runs.console.pages import ConsoleRequest, form_of, member_only, page
from runs.console.repeats import once
from runs.contract.errors import BadRequest
from runs.models import Project, Run

SHOWN = 20  # of the chosen runs


@form_of("runs")
@member_only
def bulk(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Ask whether it is meant, and then do it, a part of it with each request."""
    name = request.POST.get("verb", "")
    try:
        if name not in VERBS:
            raise BadRequest("Nothing of that name can be done to runs.")
        choice = choice_of(project, request.POST)
    except (BadRequest, BadFilter) as refusal:
        messages.error(request, str(refusal))
        return redirect(list_address(request.POST))
    if request.POST.get("confirmed"):
        deed = deeds(request, project)[name]
        outcome = carry_out(project, VERBS[name], choice, number(request.POST, "before"), deed)
        return page(
            request, project, "console/bulk.html", told(request.POST, name, choice, outcome)
        )
    context = about(request.POST, name, suited(project, VERBS[name], choice)) | {
        "extent": extent_of(project, name, choice),
        "rows": list(VERBS[name].suits(choice.rows(project))[:SHOWN]),
        "at_once": AT_ONCE,
        "searched": searched(project, choice),
    }
    return page(request, project, "console/bulk.html", context)


@form_of("runs")
@member_only
def export(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The chosen runs as a file, streamed."""
    name = request.POST.get("format", "")
    try:
        if name not in FORMS:
            raise BadRequest(f"Runs are exported as {' or '.join(FORMS)}.")
        choice = choice_of(project, request.POST)
    except (BadRequest, BadFilter) as refusal:
        messages.error(request, str(refusal))
        return redirect(list_address(request.POST))
    answer = StreamingHttpResponse(
        pieces(project, choice, FORMS[name]), content_type=FORMS[name].content_type
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="runs.{name}"'
    return cast(HttpResponse, answer)  # all that Django asks of an answer


def deeds(request: ConsoleRequest, project: Project) -> dict[str, Callable[[Run], bool]]:
    """What each verb does to one run. A form that is sent twice starts no run twice."""
    key = request.POST.get("key", "")

    def rerun(run: Run) -> bool:
        own = f"{key}:{run.id}" if key else ""
        return bool(once(request, project, own, lambda: operations.rerun(run)))

    return {"cancel": cancel, "rerun": rerun, "delete": delete}


def about(form: QueryDict, name: str, choice: Choice) -> dict[str, Any]:
    """What the page says before and after alike."""
    return {
        "name": name,
        "verb": VERBS[name],
        "key": form.get("key") or uuid4().hex,
        "fields": list(hidden(choice)),
        "filters": form.get("filters", ""),
        "back": list_address(form),
    }


def told(form: QueryDict, name: str, choice: Choice, outcome: Outcome) -> dict[str, Any]:
    """What was done, by this request and those before it."""
    done = (number(form, "done") or 0) + outcome.done
    return about(form, name, choice) | {"outcome": outcome, "done": done}


def list_address(form: QueryDict) -> str:
    """The list from which the form came."""
    query = form.get("filters", "")
    return reverse("console:runs") + (f"?{query}" if query else "")
