"""Threads: the list, and one as a conversation."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.models import Count, Max
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from runs import operations
from runs.console.ad_hoc import ad_hoc_assistant
from runs.console.forms import MessageForm
from runs.console.pages import ConsoleRequest, base_url, find, form_of, member_only, page
from runs.console.paging import page_of
from runs.contract.errors import ApiError
from runs.contract.status import ACTIVE
from runs.models import Message, Project, Run, Thread

SHOWN = 200  # messages of a conversation


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a conversation: a message, or the mark of a run."""

    at: Any
    message: Message | None = None
    run: Run | None = None


@member_only
@require_GET
def thread_list(request: ConsoleRequest, project: Project) -> HttpResponse:
    """All threads, newest first."""
    found = page_of(Thread.objects.for_project(project), request.GET)
    ids = [thread.id for thread in found.rows]
    runs = Run.objects.for_project(project).filter(thread_id__in=ids).order_by()
    messages = Message.objects.for_project(project).filter(thread_id__in=ids).order_by()
    last = messages.values("thread_id").annotate(last=Max("number")).values_list("last", flat=True)
    context = {
        "threads": found,
        "runs": dict(runs.values_list("thread_id").annotate(Count("number"))),
        "messages_of": dict(messages.values_list("thread_id").annotate(Count("number"))),
        "last": {row.thread_id: row for row in messages.filter(number__in=list(last))},
        "base_url": base_url(request),
    }
    return page(request, project, "console/thread_list.html", context)


@member_only
@require_GET
def thread(request: ConsoleRequest, project: Project, thread_id: str) -> HttpResponse:
    """A thread as a conversation, with a composer."""
    return thread_page(request, project, find(rows(project), "thread", thread_id))


@form_of("thread", "thread_id")
@member_only
def add(request: ConsoleRequest, project: Project, thread_id: str) -> HttpResponse:
    """Add a message, and run if asked."""
    found = find(rows(project), "thread", thread_id)
    form = MessageForm(request.POST, project=project)
    if form.is_valid():
        try:
            if "run" not in request.POST:
                operations.add_message(found, form.message())
                return redirect("console:thread", thread_id)
            made = run_message(project, found, form)
            return redirect("console:run", thread_id, made.id)
        except ApiError as refusal:
            form.add_error(None, refusal.message)
    return thread_page(request, project, found, form, status=422)


def run_message(project: Project, found: Thread, form: MessageForm) -> Run:
    """Add the message and start a run with it, both or neither.

    Raises:
        ApiError: nobody is named to answer, or a run is active.
    """
    assistant, model = form.cleaned_data["assistant"], form.cleaned_data["model"]
    if not assistant and not model:
        raise ApiError("Choose an assistant or name a model to run.")
    fields = {
        "assistant_id": assistant or ad_hoc_assistant(project, model).id,
        "additional_messages": [form.message()],
    }
    return operations.create_run(found, fields | ({"model": model} if model else {}))


def rows(project: Project) -> Any:
    """The project's threads."""
    return Thread.objects.for_project(project).select_related("project")


def thread_page(
    request: ConsoleRequest,
    project: Project,
    found: Thread,
    form: MessageForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The conversation; ``form`` with what was typed, if it was refused."""
    all_messages = Message.objects.for_project(project).filter(thread_id=found.id)
    shown = list(all_messages.order_by("-number")[: SHOWN + 1])
    runs = list(Run.objects.for_project(project).filter(thread_id=found.id).order_by("-number"))
    latest = next((run.assistant_id for run in runs), "")
    context = {
        "thread": found,
        "entries": conversation(shown[:SHOWN], runs[:SHOWN]),
        "cut": SHOWN if len(shown) > SHOWN else 0,
        "active": next((run for run in runs if run.status in ACTIVE and not run.in_line), None),
        "form": form or MessageForm(project=project, initial={"assistant": latest}),
    }
    return page(request, project, "console/thread.html", context, status=status)


def conversation(messages: list[Message], runs: list[Run]) -> list[Entry]:
    """Messages and runs in the order in which they came; a run after the message it answers,
    which the thread of a run in line gets as the run begins."""
    entries = [Entry(message.created_at, message=message) for message in messages[::-1]]
    entries += [Entry(run.started_at or run.created_at, run=run) for run in runs[::-1]]
    return sorted(entries, key=attrgetter("at"))  # stable: messages first
