"""Finding within a run: which of its steps hold a text, and where the next and the last one are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runs.console.text import plain_text
from runs.console.timeline import RunView, StepView
from runs.models import Message, Project, Run, ToolCall


@dataclass(frozen=True, slots=True)
class Found:
    """Places in a list of steps, seen from the open one.

    Attributes:
        total: how many steps are meant.
        place: which of them the open step is, from 1; 0 if it is none.
        previous, next: ids of the neighbours, round the ends; empty without any.
    """

    total: int
    place: int
    previous: str
    next: str


def matching(project: Project, run: Run, text: str) -> set[str]:
    """Ids of the steps that hold ``text`` in a message, a call's name or id, its arguments or its
    output, whatever the case."""
    wanted = text.casefold()
    return {key for key, held in texts(project, run) if wanted in held.casefold()}


def texts(project: Project, run: Run) -> Iterator[tuple[str, str]]:
    """Step ids with what they hold; a row at a time, since each may be megabytes."""
    calls = ToolCall.objects.for_project(project).filter(run_id=run.id)
    for step_id, *held in calls.values_list(
        "step_id", "id", "name", "arguments", "output"
    ).iterator(chunk_size=20):
        yield str(step_id), "\n".join(part or "" for part in held)
    steps = dict(
        run.steps.exclude(message_id=None).values_list("message_id", "id")  # of a checked run
    )
    messages = Message.objects.for_project(project).filter(run_id=run.id)
    for message_id, content in messages.values_list("id", "content").iterator(chunk_size=20):
        if message_id in steps:
            yield steps[message_id], plain_text(content)


def among(steps: Sequence[StepView], meant: set[str], current: str) -> Found:
    """Where the step ``current`` stands among those that are ``meant``."""
    ids = [step.row.id for step in steps]
    wanted = [key for key in ids if key in meant]
    if not wanted:
        return Found(0, 0, "", "")
    at = ids.index(current) if current in ids else -1
    later = [key for key in ids[at + 1 :] if key in meant]
    earlier = [key for key in ids[: max(at, 0)] if key in meant]
    return Found(
        total=len(wanted),
        place=wanted.index(current) + 1 if current in meant else 0,
        previous=earlier[-1] if earlier else wanted[-1],
        next=later[0] if later else wanted[0],
    )


def matches(project: Project, view: RunView) -> Found | None:
    """The steps that hold what is looked for; None if nothing is."""
    query = view.query
    if not query.find:
        return None
    return among(view.steps, matching(project, view.run, query.find), query.step)


def errors(view: RunView) -> Found:
    """The steps that did not end well."""
    broke = {step.row.id for step in view.steps if step.broke}
    return among(view.steps, broke, view.query.step)
