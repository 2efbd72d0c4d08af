"""Django's admin, for cleaning up: threads and assistants can be deleted and API keys revoked,
all of it through the operations. Everything else can only be looked at."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group, User
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from runs import operations
from runs.contract.errors import ApiError
from runs.models import ApiKey, Assistant, Message, Project, Run, RunStep, Thread, ToolCall

admin.site.unregister(Group)  # roles are not made of groups here
admin.site.unregister(User)  # registered again below, to look at
admin.site.site_header = "Runsite admin"
admin.site.site_title = "Runsite admin"
admin.site.index_title = "Clean up"
admin.site.site_url = "/console/"
# The stock bulk delete loads every related object, and writes past the operations.
admin.site.disable_action("delete_selected")

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]  # generic in the stubs only
else:
    Base = admin.ModelAdmin

NAMED = 20  # objects that a confirmation names one by one


class ReadOnly(Base):
    """Look, search and filter."""

    show_full_result_count = False
    list_per_page = 50
    search_fields = ("id__exact",)
    search_help_text = "The whole id"
    ordering = ("-number",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: statuses and the like are written by the lifecycle alone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Not unless a subclass says how."""
        return False

    def confirmed(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        verb: str,
        operation: Callable[[Any], object],
    ) -> HttpResponse | None:
        """Do something to each selected row, one by one, once a page has asked."""
        name = str(rows.model._meta.verbose_name_plural)
        if request.POST.get("confirmed"):
            done = each(rows, operation)
            self.message_user(request, f"{verb} {done} {name}.", messages.SUCCESS)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb} {name}?",
            "verb": verb,
            "name": name,
            "total": rows.count(),
            "rows": rows[:NAMED],
            "selected": rows.values_list("pk", flat=True),
            "action": request.POST["action"],
            "consequences": consequences(rows),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/confirm.html", context)


class Deletable(ReadOnly):
    """Rows that an operation deletes."""

    delete: Callable[[Any], None]
    actions = ("delete_rows",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As Django's permissions say."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete one row."""
        type(self).delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What Django's confirmation page shows, without loading all that goes with it."""
        counts = consequences(self.model.objects.filter(pk__in=[obj.pk for obj in objs]))
        return [str(obj) for obj in objs], counts, set(), []

    @admin.action(permissions=["delete"], description="Delete the selected rows")
    def delete_rows(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Delete the selected rows."""
        return self.confirmed(request, queryset, "Delete", type(self).delete)


def each(rows: Iterable[Any], operation: Callable[[Any], object]) -> int:
    """Do ``operation`` to every row; how many it worked on. One may have gone meanwhile."""
    done = 0
    for row in rows:
        try:
            operation(row)
        except ApiError:
            continue
        done += 1
    return done


def consequences(rows: QuerySet[Any]) -> dict[str, int]:
    """How many rows of which kind go with ``rows``, by their names."""
    counts = {str(rows.model._meta.verbose_name_plural): rows.count()}
    if rows.model is Thread:
        ids = rows.values("id")
        counts["messages"] = Message.objects.filter(thread_id__in=ids).count()
        counts["runs"] = Run.objects.filter(thread_id__in=ids).count()
    return counts


def of_thread(rows: QuerySet[Any]) -> Coalesce:
    """How many of ``rows`` a thread has, as a column."""
    mine = rows.filter(thread_id=OuterRef("id")).order_by().values("thread_id")
    return Coalesce(
        Subquery(mine.annotate(rows=Count("number")).values("rows"), output_field=IntegerField()), 0
    )


@admin.register(Thread)
class ThreadAdmin(Deletable):
    """Deleting a thread cancels its active run and takes messages and runs with it."""

    delete = staticmethod(operations.delete_thread)
    list_display = ("id", "project", "created_at", "message_count", "run_count")
    list_filter = ("project", "created_at")
    list_select_related = ("project",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Threads with the sizes that the list shows."""
        rows: QuerySet[Any] = super().get_queryset(request)
        sized: QuerySet[Any] = rows.annotate(
            message_count=of_thread(Message.objects.all()),
            run_count=of_thread(Run.objects.all()),
        )
        return sized

    @admin.display(description="messages")
    def message_count(self, thread: Any) -> int:
        """How many messages it has."""
        return int(thread.message_count)

    @admin.display(description="runs")
    def run_count(self, thread: Any) -> int:
        """How many runs it has."""
        return int(thread.run_count)


@admin.register(Assistant)
class AssistantAdmin(Deletable):
    """A deleted assistant's runs go on with what they took from it."""

    delete = staticmethod(operations.delete_assistant)
    list_display = ("id", "name", "model", "project", "created_at")
    list_filter = ("project", "created_at")
    list_select_related = ("project",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    """The key itself is never here; its digest is not shown."""

    list_display = ("name", "shown", "project", "created_at", "last_used_at", "revoked_at")
    list_filter = ("project", "revoked_at")
    list_select_related = ("project",)
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(permissions=["delete_key"], description="Revoke the selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Revoke the selected keys."""
        live = queryset.filter(revoked_at=None)
        return self.confirmed(request, live, "Revoke", operations.revoke_key)

    def has_delete_key_permission(self, request: HttpRequest) -> bool:
        """Revoking is the deletion of a key; its row stays."""
        return admin.ModelAdmin.has_delete_permission(self, request)


@admin.register(Run)
class RunAdmin(ReadOnly):
    """Where a run stands and who drives it."""

    list_display = (
        "id",
        "status",
        "in_line",
        "project",
        "model",
        "created_at",
        "turn",
        "epoch",
        "lease_owner",
    )
    list_filter = ("status", "project", "created_at")
    list_select_related = ("project",)


@admin.register(RunStep)
class RunStepAdmin(ReadOnly):
    """Steps."""

    list_display = ("id", "run_id", "turn", "type", "status", "interrupted", "created_at")
    list_filter = ("status", "type", "interrupted")


@admin.register(ToolCall)
class ToolCallAdmin(ReadOnly):
    """Tool calls, without their contents in the list."""

    list_display = ("id", "run_id", "name", "submitted_at")


@admin.register(Message)
class MessageAdmin(ReadOnly):
    """Messages, without their contents in the list."""

    list_display = ("id", "thread_id", "role", "status", "interrupted", "created_at")
    list_filter = ("role", "status", "interrupted")


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
