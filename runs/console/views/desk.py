"""Tool outputs typed by a person."""

from django.http import HttpResponse
from django.shortcuts import redirect, render

from runs import operations
from runs.console import desk as desks
from runs.console.desk import Answer, Desk
from runs.console.pages import ConsoleRequest, form_of, member_only
from runs.console.text import STATUS_WORDS
from runs.console.views.run import find_run, run_page
from runs.contract.errors import NoOutputsWanted, WrongOutputs
from runs.models import Project, Run, ToolCall


@form_of("run", "thread_id", "run_id")
@member_only
def submit(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """Send all outputs at once. A refused form comes back with what was typed in it."""
    run = find_run(project, thread_id, run_id)
    answers, good = desks.read(request.POST.dict())
    if not good:
        desk = Desk(run, answers, problem="An output is too long. Nothing was sent.")
        return refused(request, project, desk)
    outputs = [{"tool_call_id": answer.call.id, "output": answer.output} for answer in answers]
    try:
        run = operations.submit_tool_outputs(run, outputs).run
    except (NoOutputsWanted, WrongOutputs):
        run.refresh_from_db()
        desk = Desk(run, answers, problem=what_happened(project, run, answers))
        return refused(request, project, desk)
    if request.htmx:
        sent = f"{len(answers)} output{'' if len(answers) == 1 else 's'} sent."
        return render(request, "console/_desk.html", {"desk": Desk(run, note=sent), "run": run})
    return redirect("console:run", thread_id, run_id)


def refused(request: ConsoleRequest, project: Project, desk: Desk) -> HttpResponse:
    """The form again: alone for htmx, on its page otherwise."""
    if request.htmx:
        context = {"desk": desk, "run": desk.run}
        return render(request, "console/_desk.html", context, status=422)
    return run_page(request, project, desk.run, desk, status=422)


def what_happened(project: Project, run: Run, answers: list[Answer]) -> str:
    """Why a run does not take these answers. Notes beside each what was taken instead."""
    taken = {
        call.id: call
        for call in ToolCall.objects.for_project(project)
        .filter(run_id=run.id, id__in=[answer.call.id for answer in answers])
        .exclude(output=None)
    }
    for answer in answers:
        if answer.call.id in taken:
            answer.call.output = taken[answer.call.id].output
            answer.call.submitted_at = taken[answer.call.id].submitted_at
    times = [call.submitted_at for call in taken.values() if call.submitted_at]
    if times:
        return (
            f"Other outputs were taken at {max(times):%H:%M:%S} UTC. Yours were not sent; "
            "they are kept below."
        )
    word = STATUS_WORDS.get(run.status, run.status).lower()
    return f"The run does not wait for these outputs: it is {word}. What you typed is kept below."
