"""Cleanups in the admin: the plan with its figures, begin, stop, and how far it is; leftovers;
what the database holds."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_GET, require_POST

from runs import operations
from runs.admin.lists import TYPED, ReadOnly
from runs.contract.cleanup import Verb
from runs.contract.errors import ApiError
from runs.models import Cleanup
from runs.models.database import now
from runs.operations import leftovers, storage
from runs.operations.cleanup import total

PLANNED = 100_000  # objects in one plan; the commands select more by project and age

#: What the page of a cleanup calls its verb.
WORDS = {"erase": ("Erase", "threads"), "compact": ("Compact", "event logs")}


def plan_page(request: HttpRequest, verb: Verb, rows: QuerySet[Any]) -> HttpResponse:
    """Plan a cleanup of ``rows``, and go to its page, which asks."""
    numbers = list(rows.order_by().values_list("number", flat=True)[: PLANNED + 1])
    if len(numbers) > PLANNED:
        text = f"At most {PLANNED} at once: filter the list, or use manage.py erase and prune."
        messages.error(request, text)
        return redirect(request.get_full_path())
    cleanup = operations.plan_cleanup(verb, chosen=numbers, asked_by=request.user.get_username())
    return page_of(cleanup)


def page_of(cleanup: Cleanup) -> HttpResponse:
    """Go to the page of a cleanup."""
    return redirect("admin:runs_cleanup_change", cleanup.number)


@admin.register(Cleanup)
class CleanupAdmin(ReadOnly):
    """Cleanups, and the pages around them."""

    list_display = ("id", "verb", "asked_by", "created_at", "progress", "standing")
    heavy = ("chosen",)
    actions = ()

    @admin.display(description="rows")
    def progress(self, cleanup: Cleanup) -> str:
        """How many of how many."""
        return f"{sum(cleanup.done.values())} of {total(cleanup)}"

    def get_urls(self) -> list[URLPattern]:
        """The pages that are no list and no object, and the forms."""
        pages: dict[str, Callable[..., HttpResponse]] = {
            "leftovers/": require_GET(self.leftovers_page),
            "leftovers/repair/": require_POST(self.repair),
            "storage/": require_GET(self.storage_page),
            "storage/compact/": require_POST(self.compact_file),
            "<int:number>/begin/": require_POST(self.begin),
            "<int:number>/cancel-first/": require_POST(self.cancel_first),
            "<int:number>/stop/": require_POST(self.stop),
        }
        ours = [
            path(
                route,
                self.admin_site.admin_view(view),
                name="runs_cleanup_" + route.rstrip("/").rpartition(">/")[2].replace("/", "_"),
            )
            for route, view in pages.items()
        ]
        return [*ours, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """A cleanup: its figures, and what can be done with it now. Comes anew by itself while
        somebody works on it."""
        if request.method != "GET":
            return HttpResponse(status=405)
        cleanup = self.found(object_id)
        kinds = {**cleanup.counts, **cleanup.done}
        verb, things = WORDS[cleanup.verb]
        return self.page(
            request,
            "admin/cleanup.html",
            f"{verb} {things}",
            cleanup=cleanup,
            verb=verb,
            figures=[
                (name, cleanup.counts.get(name, 0), cleanup.done.get(name, 0)) for name in kinds
            ],
            total=total(cleanup),
            typed=total(cleanup) > TYPED,
            refreshes=cleanup.standing in ("running", "stopping"),
            may_begin=cleanup.standing in ("planned", "stopped", "interrupted"),
        )

    def begin(self, request: HttpRequest, number: int) -> HttpResponse:
        """Begin, or go on, in this process."""
        cleanup = self.found(number)
        many = cleanup.started_at is None and total(cleanup) > TYPED
        if many and request.POST.get("typed", "").strip() != str(total(cleanup)):
            messages.error(request, f"Type {total(cleanup)} to go on: so many rows are meant.")
            return page_of(cleanup)
        if self.done(request, lambda: operations.begin_cleanup(cleanup)):
            operations.work_on_cleanup_in_background(cleanup)
        return page_of(cleanup)

    def cancel_first(self, request: HttpRequest, number: int) -> HttpResponse:
        """Count again, with the threads of active runs."""
        cleanup = self.found(number)
        self.done(request, lambda: operations.replan_cleanup(cleanup, cancel=not cleanup.cancel))
        return page_of(cleanup)

    def stop(self, request: HttpRequest, number: int) -> HttpResponse:
        """Stop after the batch under way."""
        cleanup = self.found(number)
        self.done(request, lambda: operations.stop_cleanup(cleanup))
        return page_of(cleanup)

    def leftovers_page(self, request: HttpRequest) -> HttpResponse:
        """What has no use, or should not be there."""
        return self.page(request, "admin/leftovers.html", "Leftovers", findings=leftovers.find())

    def repair(self, request: HttpRequest) -> HttpResponse:
        """Put one kind of leftovers right, or plan to."""
        kind = request.POST.get("kind")
        if kind == "quiet":
            since = now() - leftovers.QUIET
            by = request.user.get_username()
            return page_of(operations.plan_cleanup(Verb.ERASE, quiet_since=since, asked_by=by))
        try:
            count = leftovers.repair(str(kind))
        except KeyError:
            raise Http404 from None
        messages.success(request, f"{leftovers.in_words(str(kind), count).capitalize()}.")
        return redirect("admin:runs_cleanup_leftovers")

    def storage_page(self, request: HttpRequest) -> HttpResponse:
        """What the database holds."""
        return self.page(
            request,
            "admin/storage.html",
            "Storage",
            report=storage.report(),
            file_size=storage.file_size(),
            room=storage.ROOM,
        )

    def compact_file(self, request: HttpRequest) -> HttpResponse:
        """Write SQLite's file anew."""
        if self.done(request, storage.compact_file):
            messages.success(request, "The file was written anew.")
        return redirect("admin:runs_cleanup_storage")

    def found(self, number: Any) -> Cleanup:
        """The cleanup of this number."""
        given = str(number)
        found = Cleanup.objects.filter(number=given).first() if given.isdecimal() else None
        if found is None:
            raise Http404
        return found

    def done(self, request: HttpRequest, work: Callable[[], object]) -> bool:
        """Do ``work``; what speaks against it is said."""
        try:
            work()
        except ApiError as error:
            messages.error(request, error.message)
            return False
        return True

    def page(self, request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
        """A page in the admin's frame."""
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, template, {**context, **more})
