"""Threads and their messages in the admin."""

import json
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat

from runs import operations
from runs.admin.cleanups import plan_page
from runs.admin.filters import (
    ActiveRunFilter,
    AgeFilter,
    ContentsFilter,
    MessageStatusFilter,
    ProjectFilter,
    QuietFilter,
    RoleFilter,
)
from runs.admin.lists import ReadOnly, in_list
from runs.contract.cleanup import Verb
from runs.contract.ids import THREAD
from runs.models import Message, Thread
from runs.models.figures import with_activity, with_sizes

EXPORTED = 100  # threads in one file


@admin.register(Thread)
class ThreadAdmin(ReadOnly):
    """Erasing a thread takes its messages and runs with it; a plan says first how many."""

    list_display = (
        "id",
        "project",
        "created_at",
        "message_count",
        "run_count",
        "bytes",
        "last_activity",
    )
    list_filter = (ProjectFilter, AgeFilter, ActiveRunFilter, ContentsFilter, QuietFilter)
    fetched = ("project",)
    search_help_text = "A thread's whole id, or a key of its metadata"
    actions = ("erase", "export")
    heavy = ("metadata", "tool_resources")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Threads with the figures that the list shows."""
        rows = super().get_queryset(request)
        return with_sizes(with_activity(rows)) if in_list(request) else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By id, or by a key of the metadata."""
        term = search_term.strip()
        if "\0" in term:  # PostgreSQL would refuse the whole statement
            raise IncorrectLookupParameters(term)
        if not term:
            return queryset, False
        if term.startswith(f"{THREAD}_"):
            return queryset.filter(id=term), False
        return queryset.filter(metadata__has_key=term), False

    @admin.display(description="messages")
    def message_count(self, thread: Any) -> int:
        """How many messages it has."""
        return int(thread.message_count)

    @admin.display(description="runs")
    def run_count(self, thread: Any) -> int:
        """How many runs it has."""
        return int(thread.run_count)

    @admin.display(description="size")
    def bytes(self, thread: Any) -> str:
        """What its messages and events say."""
        return filesizeformat(thread.bytes)

    @admin.display(description="last activity")
    def last_activity(self, thread: Any) -> Any:
        """When something was last added."""
        return thread.last_activity

    @admin.action(description="Erase (counts first)")
    def erase(self, request: HttpRequest, queryset: QuerySet[Thread]) -> HttpResponse:
        """Plan to erase the selected threads, and show the plan."""
        return plan_page(request, Verb.ERASE, queryset)

    @admin.action(description="Export as JSON")
    def export(self, request: HttpRequest, queryset: QuerySet[Thread]) -> HttpResponse | None:
        """Download the selected threads with all that was said on them."""
        found = list(queryset[: EXPORTED + 1])
        if len(found) > EXPORTED:
            text = f"At most {EXPORTED} threads go into one file."
            self.message_user(request, text, messages.ERROR)
            return None
        data = [operations.export_thread(thread) for thread in found]
        return HttpResponse(
            json.dumps(data, ensure_ascii=False, indent=1),
            content_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="threads.json"'},
        )


@admin.register(Message)
class MessageAdmin(ReadOnly):
    """Messages, without their contents in the list."""

    list_display = ("id", "thread_id", "run_id", "role", "status", "interrupted", "created_at")
    list_filter = (RoleFilter, MessageStatusFilter)
    search_fields = ("id__exact", "thread__id__exact", "run__id__exact")
    search_help_text = "The whole id of a message, thread or run"
    heavy = ("content", "attachments", "metadata")
