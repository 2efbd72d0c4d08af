"""The event log of a run as a page and as text, and the run as a file."""

import re

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from runs.console import export as exports
from runs.console.pages import ConsoleRequest, member_only, page
from runs.console.payload import payload_of
from runs.console.run_query import RunQuery
from runs.console.timeline import RunView
from runs.console.views.run import find_run
from runs.contract.events import NAMES
from runs.events import log
from runs.models import Project

PAGE = 200  # events
NUMBER = re.compile("[0-9]{1,18}")  # fits the column of event numbers


@member_only
@require_GET
def events(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """The events past ``?after=``, oldest first, of one name if ``?name=`` is given; with
    ``?as=sse`` as the text that a stream would have sent."""
    run = find_run(project, thread_id, run_id)
    after, name = request.GET.get("after", "0"), request.GET.get("name", "")
    if not NUMBER.fullmatch(after):
        raise Http404("“after” must be the number of an event.")
    if name and name not in NAMES:
        raise Http404("There are no events of this name.")
    found = log.entries(run.id, int(after), PAGE + 1, name)
    entries, more = found[:PAGE], len(found) > PAGE
    if request.GET.get("as") == "sse":
        text = "".join(entry.event.frame() for entry in entries)
        return HttpResponse(text, content_type="text/plain; charset=utf-8")
    context = {
        "run": run,
        "view": RunView(
            run, request.role, [], [], RunQuery(view="events", list=request.GET.get("list"))
        ),
        "rows": [(entry, payload_of(entry.event.data)) for entry in entries],
        "after": int(after),
        "last": entries[-1].event.number if more else None,
        "name": name,
        "names": NAMES,
    }
    return page(request, project, "console/run_events.html", context)


@member_only
@require_GET
def export(
    request: ConsoleRequest, project: Project, thread_id: str, run_id: str, form: str
) -> HttpResponse:
    """A run as a file: ``json`` (its objects), ``ndjson`` (its events), ``html`` (to be read)."""
    run = find_run(project, thread_id, run_id)
    if form not in exports.FORMS:
        raise Http404(f"A run is exported as {', '.join(exports.FORMS)}.")
    made = exports.FORMS[form]
    response = HttpResponse(made.write(project, run), content_type=made.content_type)
    response["Content-Disposition"] = f'attachment; filename="{run.id}.{form}"'
    return response
