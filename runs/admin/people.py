"""Projects, people, keys, sessions and kept answers in the admin; and assistants."""

import hashlib
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from runs import operations
from runs.admin.filters import AgeFilter, KeyUseFilter, ProjectFilter
from runs.admin.lists import ReadOnly
from runs.models import ApiKey, Assistant, IdempotencyKey, Project

admin.site.unregister(Group)  # roles are not made of groups here
admin.site.unregister(User)  # registered again below, to look at


@admin.register(Project)
class ProjectAdmin(ReadOnly):
    """Projects. The console makes them."""

    list_display = ("id", "name", "created_at")


@admin.register(User)
class UserAdmin(ReadOnly):
    """Operators. Passwords are changed in the console, or with ``manage.py changepassword``."""

    list_display = ("username", "is_active", "is_superuser", "last_login")
    fields = ("username", "is_active", "is_staff", "is_superuser", "last_login", "date_joined")
    search_fields = ("username__exact",)
    search_help_text = "The whole name"
    ordering = ("username",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    """The key itself is never here; its digest is not shown."""

    list_display = ("name", "shown", "project", "created_at", "last_used_at", "revoked_at")
    list_filter = (ProjectFilter, KeyUseFilter)
    fetched = ("project",)
    search_fields = ("id__exact", "name__exact", "shown__startswith")
    search_help_text = "The whole id or name, or the beginning of the key"
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Revoke the selected keys; their rows stay."""
        live = queryset.filter(revoked_at=None)
        return self.confirmed(request, live, "Revoke", operations.revoke_key)


@admin.register(Assistant)
class AssistantAdmin(ReadOnly):
    """A deleted assistant's runs go on with what they took from it."""

    list_display = ("id", "name", "model", "project", "created_at")
    list_filter = (ProjectFilter, AgeFilter)
    fetched = ("project",)
    actions = ("erase",)
    heavy = ("instructions", "tools", "tool_resources", "metadata", "response_format")

    @admin.action(description="Delete")
    def erase(self, request: HttpRequest, queryset: QuerySet[Assistant]) -> HttpResponse | None:
        """Delete the selected assistants."""
        return self.confirmed(request, queryset, "Delete", operations.delete_assistant)


class Prunable(ReadOnly):
    """Rows that go by themselves, or all at once when their time is up."""

    change_list_template = "admin/prunable.html"
    #: Which leftovers they are.
    leftovers = ""
    actions = ()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list, with a button that deletes what is past its time."""
        return super().changelist_view(request, {"leftovers": self.leftovers})

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The list alone: an object has contents, or is a secret."""
        return obj is None and super().has_view_permission(request)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(Prunable):
    """Answers that are kept for callers who repeat a call. What they say is not shown."""

    list_display = ("number", "project", "route", "thread_id", "run_id", "created_at")
    list_display_links = None
    list_filter = (ProjectFilter, AgeFilter)
    fetched = ("project",)
    search_fields = ("thread__id__exact", "run__id__exact")
    search_help_text = "The whole id of a thread or run"
    heavy = ("answer", "headers")
    leftovers = "answers"


@admin.register(Session)
class SessionAdmin(Prunable):
    """Sessions of browsers. The key of one opens the console: it is not shown, nor linked to."""

    list_display = ("shown", "expire_date")
    list_display_links = None
    search_fields = ()
    ordering = ("-expire_date",)
    heavy = ("session_data",)
    leftovers = "sessions"

    @admin.display(description="session")
    def shown(self, session: Session) -> str:
        """A name that tells sessions apart."""
        return hashlib.sha256(session.session_key.encode()).hexdigest()[:12]
