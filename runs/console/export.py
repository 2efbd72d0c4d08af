"""A run as a file that needs no server."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone

from runs.console.split import split_of
from runs.console.steps import all_steps, fill_steps
from runs.console.timeline import RunView, StepView
from runs.console.waterfall import since
from runs.contract.roles import Role
from runs.events import log
from runs.execution.upstreams import warnings
from runs.models import Message, Project, Run
from runs.wire.objects import message_object, run_object, step_object

STYLES = ("console.css", "run.css", "export.css")


def as_object(project: Project, run: Run) -> dict[str, Any]:
    """A run, its steps and the messages it wrote, each as the API has it."""
    steps = run.steps.order_by("number").prefetch_related("tool_calls")
    messages = Message.objects.for_project(project).filter(run_id=run.id).order_by("number")
    return {
        "run": run_object(run),
        "steps": [step_object(step, run) for step in steps],
        "messages": [message_object(message) for message in messages],
    }


def as_json(project: Project, run: Run) -> str:
    """The object as JSON with line breaks."""
    return json.dumps(as_object(project, run), indent=2, ensure_ascii=False) + "\n"


def as_ndjson(project: Project, run: Run) -> str:
    """The event log, one event a line: its number, its name, and the object that was sent."""
    return "".join(
        json.dumps(
            {"id": event.number, "event": event.name, "data": json.loads(event.data)},
            ensure_ascii=False,
        )
        + "\n"
        for event in log.everything(run.id)
    )


def as_html(project: Project, run: Run) -> str:
    """A page to be read from a disk: no script, no request, all steps whole."""
    view = RunView(run, Role.READER, all_steps(project, run), warnings(run))
    fill_steps(project, run, view.steps, run.last_number, bodies=True)
    at = timezone.now()
    context = {
        "run": run,
        "view": view,
        "split": split_of(view, at),
        "rows": [(step, *place(view, step)) for step in view.steps],
        "at": at,
        "styles": data_url(),
    }
    return render_to_string("console/export.html", context)


def place(view: RunView, step: StepView) -> tuple[float, float]:
    """Where a step's bar begins, and how long it is, in percent of the run."""
    end = view.ended_at or timezone.now()
    total = max(since(view, end), 1)
    start = since(view, step.row.created_at)
    length = since(view, step.ended_at or end) - start
    return round(100 * start / total, 3), max(round(100 * length / total, 3), 0.3)


def data_url() -> str:
    """The style sheets as an address that holds them."""
    folder = Path(settings.BASE_DIR, "static", "console")
    text = "".join((folder / name).read_text() for name in STYLES)
    return f"data:text/css;base64,{base64.b64encode(text.encode()).decode()}"


class Form(NamedTuple):
    """A kind of file, and what writes it."""

    content_type: str
    write: Callable[[Project, Run], str]


FORMS: Mapping[str, Form] = {
    "json": Form("application/json", as_json),
    "ndjson": Form("application/x-ndjson", as_ndjson),
    "html": Form("text/html; charset=utf-8", as_html),
}
