"""Finding the objects that a path names, among those of the caller's project.

An object of another project is answered exactly as one that does not exist.
"""

import re
from typing import TypeVar

from django.db.models import Model, QuerySet

from runs.contract import ids
from runs.contract.errors import BadRequest, NotFound
from runs.models import Assistant, Message, Project, Run, RunStep, Thread

M = TypeVar("M", bound=Model)

#: What an id looks like: anything else is unknown, and is not put to the database (which
#: may refuse it: PostgreSQL takes no NUL).
SHAPE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def one(rows: QuerySet[M], kind: str, object_id: str) -> M:
    """The row of this id.

    Raises:
        NotFound: ``rows`` has none.
    """
    found = rows.filter(id=object_id).first() if SHAPE.fullmatch(object_id) else None
    if found is None:
        raise NotFound(kind, object_id)
    return found


def expect_prefix(param: str, object_id: str, prefix: str) -> None:
    """Refuse an id of another kind of object.

    Raises:
        BadRequest: it begins otherwise.
    """
    if not object_id.startswith(prefix):
        raise BadRequest(
            f"Invalid '{param}': '{object_id}'. Expected an ID that begins with '{prefix}'.",
            code="invalid_value",
            param=param,
        )


def assistant_of(project: Project, assistant_id: str) -> Assistant:
    """The assistant of this id."""
    expect_prefix("assistant_id", assistant_id, ids.ASSISTANT)
    return one(Assistant.objects.for_project(project), "assistant", assistant_id)


def thread_of(project: Project, thread_id: str) -> Thread:
    """The thread of this id."""
    expect_prefix("thread_id", thread_id, ids.THREAD)
    thread = one(Thread.objects.for_project(project), "thread", thread_id)
    thread.project = project  # it is: no need to read it again
    return thread


def message_of(project: Project, thread_id: str, message_id: str) -> Message:
    """The message of this id, in this thread."""
    expect_prefix("thread_id", thread_id, ids.THREAD)
    expect_prefix("message_id", message_id, ids.MESSAGE)
    rows = Message.objects.for_project(project).filter(thread_id=shaped(thread_id))
    return in_thread(rows, project, thread_id, "message", message_id)


def run_of(project: Project, thread_id: str, run_id: str) -> Run:
    """The run of this id, on this thread."""
    expect_prefix("thread_id", thread_id, ids.THREAD)
    expect_prefix("run_id", run_id, ids.RUN)
    rows = Run.objects.for_project(project).filter(thread_id=shaped(thread_id))
    return in_thread(rows, project, thread_id, "run", run_id)


def step_of(run: Run, step_id: str) -> RunStep:
    """The step of this id, in this run."""
    expect_prefix("step_id", step_id, ids.STEP)
    return one(run.steps.prefetch_related("tool_calls"), "run step", step_id)


def in_thread(rows: QuerySet[M], project: Project, thread_id: str, kind: str, object_id: str) -> M:
    """The row of this id; if there is none, the thread may be what is missing."""
    try:
        return one(rows, kind, object_id)
    except NotFound:
        thread_of(project, thread_id)
        raise


def shaped(object_id: str) -> str:
    """The id if it can be one, else one that no object has."""
    return object_id if SHAPE.fullmatch(object_id) else ""
