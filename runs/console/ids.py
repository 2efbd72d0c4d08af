"""From the id of an object to the page that shows it."""

from urllib.parse import urlencode

from django.urls import reverse

from runs.console.pages import with_id
from runs.contract import ids
from runs.models import Assistant, Message, Project, Run, RunStep, Thread, ToolCall


def is_id(text: str) -> bool:
    """Whether a text looks like the id of an object."""
    prefix, line, rest = text.partition("_")
    return bool(line) and prefix in FINDERS and rest.isalnum()


def place_of(project: Project, object_id: str) -> str | None:
    """The address of the page, and on it of the place, that shows an object of the project;
    None if there is none."""
    find = FINDERS.get(object_id.partition("_")[0])
    return find(project, object_id) if find else None


def thread_place(project: Project, object_id: str) -> str | None:
    """A thread has a page."""
    row = with_id(Thread.objects.for_project(project), object_id).first()
    return reverse("console:thread", args=[row.id]) if row else None


def run_place(project: Project, object_id: str) -> str | None:
    """A run has a page."""
    row = with_id(Run.objects.for_project(project), object_id).first()
    return run_address(row.thread_id, row.id) if row else None


def message_place(project: Project, object_id: str) -> str | None:
    """A message stands on the page of its thread, which shows the part that it is in."""
    row = with_id(Message.objects.for_project(project), object_id).first()
    if row is None:
        return None
    page = reverse("console:thread", args=[row.thread_id])
    return f"{page}?{urlencode({'message': row.id})}#{row.id}"


def step_place(project: Project, object_id: str) -> str | None:
    """A step stands on the page of its run."""
    rows = RunStep.objects.for_project(project).select_related("run")
    row = with_id(rows, object_id).first()
    return f"{run_address(row.run.thread_id, row.run_id)}#{row.id}" if row else None


def call_place(project: Project, object_id: str) -> str | None:
    """A call stands in its step. Two runs may have calls of one id: the newest is meant."""
    rows = ToolCall.objects.for_project(project).select_related("run")
    row = with_id(rows, object_id).order_by("-number").first()
    return f"{run_address(row.run.thread_id, row.run_id)}#{row.step_id}" if row else None


def assistant_place(project: Project, object_id: str) -> str | None:
    """An assistant has a page."""
    row = with_id(Assistant.objects.for_project(project), object_id).first()
    return reverse("console:assistant", args=[row.id]) if row else None


def run_address(thread_id: str, run_id: str) -> str:
    """The address of a run's page."""
    return reverse("console:run", args=[thread_id, run_id])


#: By the prefix of an id.
FINDERS = {
    ids.THREAD: thread_place,
    ids.RUN: run_place,
    ids.MESSAGE: message_place,
    ids.STEP: step_place,
    ids.CALL: call_place,
    ids.ASSISTANT: assistant_place,
}
