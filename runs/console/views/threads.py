"""Threads: the list, and one as a conversation."""

from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.db.models import Count, Max, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from runs import operations
from runs.console.ad_hoc import ad_hoc_assistant
from runs.console.conversation import conversation
from runs.console.forms import MessageForm
from runs.console.pages import ConsoleRequest, base_url, find, form_of, member_only, page
from runs.console.paging import RowPage, number_of, page_of
from runs.console.thread_search import FoundThreads, look_in_threads
from runs.contract.errors import ApiError
from runs.contract.status import ACTIVE
from runs.models import Message, Project, Run, Thread

FOUND = 50  # threads that a search shows at a time


@member_only
@require_GET
def thread_list(request: ConsoleRequest, project: Project) -> HttpResponse:
    """All threads, newest first; with ``?q=``, those in which that is said."""
    threads = Thread.objects.for_project(project)
    wanted = request.GET.get("q", "").strip()
    if wanted:
        found, searched = found_threads(project, threads, wanted, request.GET.get("after", ""))
    else:
        found, searched = page_of(threads, request.GET), None
    ids = [thread.id for thread in found.rows]
    runs = Run.objects.for_project(project).filter(thread_id__in=ids).order_by()
    said = Message.objects.for_project(project).filter(thread_id__in=ids).order_by()
    last = said.values("thread_id").annotate(last=Max("number")).values_list("last", flat=True)
    context = {
        "threads": found,
        "q": wanted,
        "keep": f"q={quote(wanted)}" if wanted else "",
        "searched": searched,
        "runs": dict(runs.values_list("thread_id").annotate(Count("number"))),
        "messages_of": dict(said.values_list("thread_id").annotate(Count("number"))),
        "last": {row.thread_id: row for row in said.filter(number__in=list(last))},
        "base_url": base_url(request),
    }
    return page(request, project, "console/thread_list.html", context)


def found_threads(
    project: Project, threads: QuerySet[Thread], wanted: str, after: str
) -> tuple[RowPage[Thread], FoundThreads]:
    """The threads in which something is said, from below ``after``, and how far it was looked."""
    place = number_of(threads, after)
    rest = threads if place is None else threads.filter(number__lt=place)
    searched = look_in_threads(project, rest, wanted, FOUND)
    on = None if searched.whole else searched.last
    return RowPage(searched.rows, None, on), searched


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


@form_of("thread", "thread_id")
@member_only
def delete(request: ConsoleRequest, project: Project, thread_id: str) -> HttpResponse:
    """Delete a thread with all that is in it; an active run is cancelled first."""
    operations.delete_thread(find(rows(project), "thread", thread_id))
    messages.success(request, f"The thread {thread_id} is deleted.")
    return redirect("console:threads")


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
    said = Message.objects.for_project(project).filter(thread_id=found.id)
    runs = Run.objects.for_project(project).filter(thread_id=found.id)
    latest = runs.order_by("-number").values_list("assistant_id", flat=True).first()
    context = {
        "thread": found,
        "conversation": conversation(said, runs, request.GET),
        "active": runs.filter(status__in=sorted(ACTIVE), in_line=False).first(),
        "runs": runs.count(),
        "form": form or MessageForm(project=project, initial={"assistant": latest or ""}),
    }
    return page(request, project, "console/thread.html", context, status=status)
