"""Many runs as one file, written while it is read from the database."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from runs.console.bulk import Choice
from runs.models import Message, Project, Run, RunStep
from runs.models.database import in_database
from runs.wire.objects import message_object, run_object, step_object

BATCH = 20  # runs that are held at a time


class Form(NamedTuple):
    """A kind of file: what stands before, between and after its objects."""

    content_type: str
    start: str
    between: str
    end: str


FORMS = {
    "ndjson": Form("application/x-ndjson", "", "\n", "\n"),
    "json": Form("application/json", "[", ",\n", "]\n"),
}


async def pieces(project: Project, choice: Choice, form: Form) -> AsyncIterator[str]:
    """The file, a batch of runs at a time."""
    yield form.start
    before: int | None = None
    while batch := await in_database(next_runs, project, choice, before):
        objects = await in_database(objects_of, project, batch)
        lead = "" if before is None else form.between
        yield lead + form.between.join(json.dumps(each, ensure_ascii=False) for each in objects)
        before = batch[-1].number
    yield form.end if before is not None or form.start else ""


def next_runs(project: Project, choice: Choice, before: int | None) -> list[Run]:
    """The next of the chosen runs, newest first."""
    rows = choice.rows(project)
    return list((rows if before is None else rows.filter(number__lt=before))[:BATCH])


def objects_of(project: Project, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each run with its steps and the messages it wrote, as the API has them."""
    ids = [run.id for run in runs]
    steps = RunStep.objects.for_project(project).filter(run_id__in=ids).order_by("number")
    messages = Message.objects.for_project(project).filter(run_id__in=ids).order_by("number")
    by_run = group(steps.prefetch_related("tool_calls"), lambda step: step.run_id)
    written = group(messages, lambda message: message.run_id)
    return [
        {
            "run": run_object(run),
            "steps": [step_object(step, run) for step in by_run.get(run.id, ())],
            "messages": [message_object(message) for message in written.get(run.id, ())],
        }
        for run in runs
    ]


def group(rows: Any, key: Callable[[Any], str]) -> dict[str, list[Any]]:
    """Rows by a key, in their order."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
