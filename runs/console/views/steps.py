"""One step of a run: its page, what it holds, and each of its texts whole."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs.console.pages import ConsoleRequest, member_only, page
from runs.console.run_query import RunQuery
from runs.console.steps import all_steps, fill_steps
from runs.console.timeline import RunView, StepView
from runs.console.views.run import find_run, short_link
from runs.models import Project
from runs.wire.objects import step_object


@member_only
@require_GET
def step(
    request: ConsoleRequest, project: Project, thread_id: str, run_id: str, step_id: str
) -> HttpResponse:
    """A step's page; for htmx, only what the step holds."""
    run = find_run(project, thread_id, run_id)
    steps = all_steps(project, run)
    place, found = find_step(steps, step_id)
    fill_steps(project, run, [found], run.last_number)
    query = RunQuery(step=found.row.id, list=request.GET.get("list"))
    view = RunView(run, request.role, steps, [], query)
    context = {"view": view, "run": run, "step": found}
    if request.htmx:
        return render(request, "console/_step_body.html", context)
    context |= {
        "short": short_link(request, run),
        "before": steps[place - 1].row.id if place else "",
        "after": steps[place + 1].row.id if place + 1 < len(steps) else "",
        "place": place + 1,
        "attempt": attempt(steps[:place], found),
        "wire": step_object(found.row, run),
    }
    return page(request, project, "console/step.html", context)


@member_only
@require_GET
def step_text(
    request: ConsoleRequest,
    project: Project,
    thread_id: str,
    run_id: str,
    step_id: str,
    place: str,
) -> HttpResponse:
    """A text of a step exactly as it is stored, to be shown or kept as a file."""
    run = find_run(project, thread_id, run_id)
    _, found = find_step(all_steps(project, run), step_id)
    fill_steps(project, run, [found], run.last_number)
    text = text_at(found, place)
    if text is None:
        raise Http404("This step has no such text.")
    response = HttpResponse(text.encode(), content_type="text/plain; charset=utf-8")
    if request.GET.get("download"):
        name = f"{found.row.id}-{place}.txt"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def find_step(steps: list[StepView], step_id: str) -> tuple[int, StepView]:
    """The step of this id or at this place, from 1; and its index in the list.

    Raises:
        Http404: the run has none.
    """
    for index, found in enumerate(steps):
        if step_id in (found.row.id, str(found.place)):
            return index, found
    raise Http404("No step with this id in this run.")


def text_at(step: StepView, place: str) -> str | None:
    """The text called ``message``, ``arguments-0`` or ``output-0``."""
    if place == "message":
        return step.written if step.message else None
    for index, call in enumerate(step.calls):
        named = {f"arguments-{index}": call.arguments, f"output-{index}": call.output}
        if place in named:
            return named[place]
    return None


def attempt(before: list[StepView], step: StepView) -> int:
    """Which attempt at its turn a step is of, from 1."""
    lost = [
        earlier
        for earlier in before
        if earlier.row.interrupted and earlier.row.turn == step.row.turn
    ]
    return len({earlier.row.number for earlier in lost if earlier.row.index == 0}) + 1
