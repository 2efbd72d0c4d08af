"""Tool outputs typed by a person."""

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import redirect, render

from runs import operations
from runs.console import desk as desks
from runs.console.answers import Answer
from runs.console.desk import Desk
from runs.console.earlier import Lessons, lessons
from runs.console.pages import ConsoleRequest, form_of, member_only
from runs.console.text import STATUS_WORDS
from runs.console.views.run import find_run, run_page
from runs.console.zones import time_of_day
from runs.contract.errors import NoOutputsWanted, WrongOutputs
from runs.models import Project, Run, ToolCall


@form_of("run", "thread_id", "run_id")
@member_only
def submit(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """Send all outputs at once. A refused form comes back with what was typed in it.

    The ids of its calls are what makes a form harmless to send twice: a set of calls is
    answered once, and the same outputs again are no error.
    """
    run = find_run(project, thread_id, run_id)
    desk = desks.read(request.POST.dict(), run)
    if not desk.is_wanted():  # asked first: the check may take seconds
        return refused(request, project, desk)
    if not desk.check():
        desk.problem = "Nothing was sent."
        return shown(request, project, desk, status=422)
    outputs = [{"tool_call_id": answer.call.id, "output": answer.output} for answer in desk.answers]
    try:
        desk.run = operations.submit_tool_outputs(run, outputs, cast(User, request.user)).run
    except (NoOutputsWanted, WrongOutputs):
        return refused(request, project, desk)
    if request.htmx:
        return shown(request, project, Desk(desk.run, note=what_was_sent(request, project, desk)))
    return redirect("console:run", thread_id, run_id)


@form_of("run", "thread_id", "run_id")
@member_only
def fill(request: ConsoleRequest, project: Project, thread_id: str, run_id: str) -> HttpResponse:
    """The form again, with what earlier outputs of a call's function are good for."""
    run = find_run(project, thread_id, run_id)
    desk = desks.read(request.POST.dict(), run)
    wanted = {name: request.POST.get(name) for name in ("last", "learn")}
    for answer in desk.answers:
        if str(answer.index) not in wanted.values():
            continue
        learned = lessons(project, [answer.call.name]).get(answer.call.name, Lessons())
        last = learned.last_output(answer.call.arguments)
        if wanted["last"] == str(answer.index) and last is not None:
            answer.fill(last)
        if wanted["learn"] == str(answer.index) and learned.schema is not None:
            answer.use(learned.schema, learned=True)
    return shown(request, project, desk)


def shown(request: ConsoleRequest, project: Project, desk: Desk, status: int = 200) -> HttpResponse:
    """The form: alone for htmx, on its page otherwise."""
    desks.equip(project, [desk])
    if request.htmx:
        context = {"desk": desk, "run": desk.run}
        return render(request, "console/_desk.html", context, status=status)
    return run_page(request, project, desk.run, desk, status=status)


def refused(request: ConsoleRequest, project: Project, desk: Desk) -> HttpResponse:
    """The form with the words for why the run does not take these outputs."""
    desk.run.refresh_from_db()
    desk.problem = what_happened(request, project, desk)
    return shown(request, project, desk, status=422)


def what_was_sent(request: ConsoleRequest, project: Project, desk: Desk) -> str:
    """A note about outputs that were taken: now, or the same ones earlier from somebody else."""
    call = next(iter(taken_of(project, desk.run, desk.answers).values()), None)
    if call is not None and call.submitted_at and call.submitted_by_user != request.user:
        return (
            f"The same outputs were taken at {call.submitted_at:%H:%M:%S} UTC{who(request, call)}."
        )
    return f"{len(desk.answers)} output{'' if len(desk.answers) == 1 else 's'} sent."


def what_happened(request: ConsoleRequest, project: Project, desk: Desk) -> str:
    """Why a run does not take these answers. Notes beside each what was taken instead."""
    taken = taken_of(project, desk.run, desk.answers)
    for answer in desk.answers:
        if answer.call.id in taken:
            answer.call.output = taken[answer.call.id].output
            answer.call.submitted_at = taken[answer.call.id].submitted_at
    times = [call.submitted_at for call in taken.values() if call.submitted_at]
    if times:
        by = who(request, next(iter(taken.values())))
        return (
            f"Other outputs were taken at {time_of_day(max(times))}{by}. Yours were not sent; "
            "they are kept below."
        )
    word = STATUS_WORDS.get(desk.run.status, desk.run.status).lower()
    return f"The run does not wait for these outputs: it is {word}. What you typed is kept below."


def taken_of(project: Project, run: Run, answers: list[Answer]) -> dict[str, ToolCall]:
    """The calls of a desk that have an output, by their ids."""
    rows = ToolCall.objects.for_project(project).exclude(output=None)
    rows = rows.filter(run_id=run.id, id__in=[answer.call.id for answer in answers])
    return {call.id: call for call in rows.select_related("submitted_by_user", "submitted_by_key")}


def who(request: ConsoleRequest, call: ToolCall) -> str:
    """Who answered a call, to stand after the time; empty if that is not known (any more)."""
    if call.submitted_by_user is not None:
        mine = call.submitted_by_user == request.user
        return ", by you" if mine else f", by {call.submitted_by_user}"
    if call.submitted_by_key is not None:
        return f", by a client with the key {call.submitted_by_key}"
    return ""
