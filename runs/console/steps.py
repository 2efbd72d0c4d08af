"""The steps of a run as rows and log have them: light rows for all, payloads for those shown."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db.models.functions import Substr

from runs.console.timeline import CallView, StepView
from runs.contract.events import MESSAGE_DELTA, STEP_DELTA
from runs.contract.status import MessageStatus, StepStatus
from runs.events import log
from runs.events.log import Event
from runs.models import Message, Project, Run, RunStep, ToolCall
from runs.wire.objects import Wire

OPEN = 30  # steps: of a list that is longer, a body is fetched when its step is opened
HEAD = 120  # characters of a call's arguments that name it in a list


def all_steps(project: Project, run: Run) -> list[StepView]:
    """All steps of ``run``, oldest first, without what they hold."""
    rows = RunStep.objects.for_project(project).filter(run_id=run.id)
    return [StepView(row, place) for place, row in enumerate(rows.order_by("number"), start=1)]


def fill_steps(
    project: Project,
    run: Run,
    steps: Sequence[StepView],
    upto: int,
    live: Sequence[Event] = (),
    wanted: str = "",
    *,
    bodies: bool = False,
) -> None:
    """Give ``steps`` the names of their calls, and a body to those that have one on the page:
    all of a short list, or if ``bodies``; else the last, those not ended, and the ``wanted`` one.

    Rows may be newer than event number ``upto``: that is harmless, since whoever reads on
    from there sees them brought up to date again. Text still being written is taken from
    the log exactly up to it, so that the deltas that follow continue it. ``live`` are events
    up to there that the log may not have yet.
    """
    for step in steps:
        always = bodies or len(steps) <= OPEN or step is steps[-1]
        step.has_body = always or step.ended_at is None or step.row.id == wanted
    add_calls(project, run, steps)
    full = [step for step in steps if step.has_body]
    rows = Message.objects.for_project(project).filter(run_id=run.id)
    ids = [step.row.message_id for step in full if step.row.message_id]
    messages = {message.id: message for message in rows.filter(id__in=ids)}
    for step in full:
        step.message = messages.get(step.row.message_id or "")
    unfinished = {key: step for step in full for key in open_ids(step)}
    if unfinished:
        fill(unfinished, so_far(run.id, upto, live))


def add_calls(project: Project, run: Run, steps: Sequence[StepView]) -> None:
    """Give each step its calls: whole where it has a body, else what names them."""
    by_id = {step.row.id: step for step in steps if not step.writes}
    full = [step.row for step in by_id.values() if step.has_body]
    rows = ToolCall.objects.for_project(project).filter(run_id=run.id)
    for call in rows.filter(step__in=full).order_by("index"):
        by_id[call.step_id].calls.append(CallView.of(call))
    if len(full) < len(by_id):
        light = rows.exclude(step__in=full).order_by("step", "index")
        heads = light.values_list("step_id", "name", "id", Substr("arguments", 1, HEAD))
        for step_id, name, call_id, arguments in heads:
            if step_id in by_id:  # not of another page of the list
                by_id[step_id].calls.append(CallView(name, arguments, call_id, output=""))


def open_ids(view: StepView) -> Iterator[str]:
    """The id under which the log has what this step is still writing, if it is."""
    if view.message is not None and view.message.status == MessageStatus.IN_PROGRESS:
        yield view.message.id
    if not view.writes and not view.calls and view.row.status == StepStatus.IN_PROGRESS:
        yield view.row.id


def so_far(run_id: str, upto: int, live: Sequence[Event]) -> Iterator[Event]:
    """The deltas of a run up to and including number ``upto``: those of the log, then those
    of ``live`` that are newer."""
    after = 0
    for event in itertools.chain(log.everything(run_id), live):
        if after < event.number <= upto:
            after = event.number
            if event.name in (MESSAGE_DELTA, STEP_DELTA):
                yield event


def fill(unfinished: Mapping[str, StepView], deltas: Iterable[Event]) -> None:
    """Add to each unfinished step what the log has of it."""
    for delta in deltas:
        wire = json.loads(delta.data)
        view = unfinished.get(wire["id"])
        if view is None:
            continue
        if delta.name == MESSAGE_DELTA:
            view.text += message_text(wire)
        else:
            for piece in wire["delta"]["step_details"]["tool_calls"]:
                add_call_piece(view.calls, piece)


def message_text(wire: Wire) -> str:
    """The characters a message delta adds."""
    return "".join(
        part["text"].get("value", "") if part["type"] == "text" else part.get("refusal", "")
        for part in wire["delta"]["content"]
    )


def add_call_piece(calls: list[CallView], piece: Wire) -> None:
    """Add a delta of a tool call to the calls so far."""
    while len(calls) <= piece["index"]:
        calls.append(CallView())
    call, function = calls[piece["index"]], piece["function"]
    call.name = call.name or function.get("name", "")
    call.arguments += function.get("arguments", "")
