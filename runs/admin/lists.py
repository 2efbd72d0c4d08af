"""What the lists and pages of the admin have in common."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from runs.contract.errors import ApiError

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]  # generic in the stubs only
    Pages = Paginator[Any]
else:
    Base = admin.ModelAdmin
    Pages = Paginator

NAMED = 20  # objects that a confirmation names one by one
TYPED = 100  # past so many their number has to be typed
ONE_BY_ONE = 500  # objects that an action does something to, one after the other, in a request
SHOWN = 5000  # rows that can be paged through; past them a search or a filter leads on


class Bounded(Pages):
    """Counts no further than ``SHOWN``: the whole of a large table would take a second a page."""

    @cached_property
    def count(self) -> int:
        """How many rows can be paged through."""
        rows = cast(QuerySet[Any], self.object_list)
        return rows.order_by().values("pk")[:SHOWN].count()

    @property
    def bounded(self) -> bool:
        """Whether there may be more."""
        return self.count >= SHOWN


class ReadOnly(Base):
    """Look, search and filter."""

    paginator = Bounded
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would be a count
    list_per_page = 50
    search_fields: ClassVar[tuple[str, ...]] = ("id__exact",)
    search_help_text = "The whole id"
    ordering = ("-number",)
    sortable_by = ()  # by what no index has, a whole table would be sorted
    change_form_template = "admin/object.html"
    #: Large columns that a list has no use for.
    heavy: tuple[str, ...] = ()
    list_select_related = ()  # a join can make SQLite sort a whole table
    #: What a list reads with a query of its own instead.
    fetched: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: statuses and the like are written by the lifecycle alone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Not unless a subclass says how."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """All rows; in a list without their large columns."""
        rows: QuerySet[Any] = super().get_queryset(request)
        if not in_list(request):
            return rows
        return rows.defer(*self.heavy).prefetch_related(*self.fetched)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list. What was not understood of its address is said."""
        if ERROR_FLAG in request.GET and request.method == "GET":
            text = "The address asked for a filter or value that there is not."
            self.message_user(request, text, messages.ERROR)
        return super().changelist_view(request, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **more: Any
    ) -> Any:
        """An object's page, with what can be done to it."""
        actions = self.get_actions(request) or {}
        context["verbs"] = [(name, action[2]) for name, action in actions.items() if action]
        return super().render_change_form(request, context, *args, **more)

    def confirmed(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        verb: str,
        operation: Callable[[Any], object],
        consequences: dict[str, int] | None = None,
    ) -> HttpResponse | None:
        """Do something to each selected row, one by one, once a page has asked."""
        name = str(rows.model._meta.verbose_name_plural)
        total = rows.count()
        if total > ONE_BY_ONE:
            text = f"At most {ONE_BY_ONE} {name} at once: filter the list, or use the commands."
            self.message_user(request, text, messages.ERROR)
            return None
        agreed = total <= TYPED or request.POST.get("typed", "").strip() == str(total)
        if request.POST.get("confirmed") and agreed:
            done = each(rows, operation)
            level = messages.SUCCESS if done else messages.WARNING
            self.message_user(request, f"{verb}: {done} of {total} {name}.", level)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb} {name}?",
            "verb": verb,
            "name": name,
            "total": total,
            "typed": total > TYPED,
            "wrong": bool(request.POST.get("confirmed")),
            "rows": rows[:NAMED],
            "selected": rows.values_list("pk", flat=True),
            "action": request.POST["action"],
            "consequences": consequences or {name: total},
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/confirm.html", context)


def in_list(request: HttpRequest) -> bool:
    """Whether a list is asked for, not one object."""
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_changelist")


def each(rows: Iterable[Any], operation: Callable[[Any], object]) -> int:
    """Do ``operation`` to every row; how many it worked on. One may have gone, or moved on,
    meanwhile."""
    done = 0
    for row in rows:
        try:
            operation(row)
        except ApiError:
            continue
        done += 1
    return done
