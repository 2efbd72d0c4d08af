"""Runs, their steps and tool calls in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.timesince import timesince

from runs import operations
from runs.admin.cleanups import plan_page
from runs.admin.filters import (
    AgeFilter,
    ErrorFilter,
    LeaseFilter,
    ProjectFilter,
    RunStatusFilter,
    StepStatusFilter,
    StepTypeFilter,
)
from runs.admin.lists import ReadOnly
from runs.contract.cleanup import Verb
from runs.models import Run, RunStep, ToolCall


@admin.register(Run)
class RunAdmin(ReadOnly):
    """Where a run stands and who drives it."""

    list_display = (
        "id",
        "status",
        "in_line",
        "project",
        "thread_id",
        "model",
        "age",
        "lease_owner",
        "epoch",
        "turn",
        "tokens",
    )
    list_filter = (RunStatusFilter, ProjectFilter, AgeFilter, LeaseFilter, ErrorFilter)
    fetched = ("project",)
    search_fields = ("id__exact", "thread__id__exact")
    search_help_text = "The whole id of a run or thread"
    actions = ("cancel", "expire", "kick", "compact")
    readonly_fields = ("belongings",)
    heavy = (
        "line_messages",
        "instructions",
        "tools",
        "tool_resources",
        "metadata",
        "required_action",
        "submission",
        "response_format",
        "last_error",
    )

    @admin.display(description="age")
    def age(self, run: Run) -> str:
        """Since it was made."""
        return timesince(run.created_at, depth=1)

    @admin.display(description="tokens")
    def tokens(self, run: Run) -> Any:
        """Of its committed turns."""
        return (run.usage or {}).get("total_tokens")

    @admin.display(description="steps, calls and messages")
    def belongings(self, run: Run) -> str:
        """Where the rows that it made are listed."""
        lists = [
            (reverse(f"admin:runs_{name}_changelist"), run.id, words)
            for name, words in (
                ("runstep", "steps"),
                ("toolcall", "tool calls"),
                ("message", "messages"),
            )
        ]
        links = format_html_join(", ", '<a href="{}?q={}">{}</a>', lists)
        return format_html("{}; {} rows of events", links, run.chunks.count())

    @admin.action(description="Cancel")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse | None:
        """Cancel the selected runs, those that can be."""
        return self.confirmed(request, queryset, "Cancel", operations.cancel_run)

    @admin.action(description="Expire")
    def expire(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse | None:
        """End the selected runs as if their time were up."""
        return self.confirmed(request, queryset, "Expire", operations.expire_run)

    @admin.action(description="Kick (have them driven)")
    def kick(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse | None:
        """Hint to this process that the selected runs want to be driven."""
        return self.confirmed(request, queryset, "Kick", operations.kick_run)

    @admin.action(description="Compact their event logs (counts first)")
    def compact(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Plan to compact the logs of the selected runs, those that have ended."""
        return plan_page(request, Verb.COMPACT, queryset)


@admin.register(RunStep)
class RunStepAdmin(ReadOnly):
    """Steps."""

    list_display = ("id", "run_id", "turn", "type", "status", "interrupted", "created_at")
    list_filter = (StepStatusFilter, StepTypeFilter)
    search_fields = ("id__exact", "run__id__exact")
    search_help_text = "The whole id of a step or run"
    heavy = ("last_error", "usage")


@admin.register(ToolCall)
class ToolCallAdmin(ReadOnly):
    """Tool calls, without their contents in the list."""

    list_display = ("id", "run_id", "name", "submitted_at")
    search_fields = ("id__exact", "run__id__exact")
    search_help_text = "The whole id of a call or run"
    heavy = ("arguments", "output")
