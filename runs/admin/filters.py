"""Filters of the lists. Each can use an index, and refuses what is none of its choices."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.timezone import now

from runs.contract.status import DRIVEN, MessageStatus, RunStatus, StepStatus
from runs.models import Message, Project, Run
from runs.models.columns import spelled
from runs.models.run import ACTIVE_VALUES, DRIVABLE_VALUES, UNDONE_VALUES
from runs.operations.erase import busy, quiet

Choices = Iterable[tuple[str, str]]
UNUSED = timedelta(days=90)


class Choice(admin.SimpleListFilter):
    """A filter with a fixed set of choices."""

    def value(self) -> str | None:
        """The choice; what is none is an error."""
        chosen = super().value()
        known = {str(value) for value, _ in self.lookup_choices}
        if chosen is not None and chosen not in known:
            raise IncorrectLookupParameters(chosen)
        return chosen

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that the choice leaves."""
        chosen = self.value()
        return queryset if chosen is None else self.narrowed(queryset, chosen)

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those of ``rows`` that are meant by a choice."""
        raise NotImplementedError


class ProjectFilter(Choice):
    """Rows of a project."""

    title = parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """All projects."""
        return list(Project.objects.values_list("id", "name"))

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Its rows."""
        return rows.filter(project_id=chosen)


class AgeFilter(Choice):
    """When the row was made: so many days ago, from and to."""

    title = parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Five buckets."""
        return (
            ("0-1", "under a day"),
            ("1-7", "1 to 7 days"),
            ("7-30", "7 to 30 days"),
            ("30-90", "30 to 90 days"),
            ("90-", "over 90 days"),
        )

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Made no earlier than the one, and before the other."""
        least, most = chosen.split("-")
        at = now()
        rows = rows.filter(created_at__lte=at - timedelta(days=int(least)))
        return rows.filter(created_at__gt=at - timedelta(days=int(most))) if most else rows


class QuietFilter(Choice):
    """Threads to which nothing has been added for a while."""

    title, parameter_name = "nothing added for", "quiet"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Days."""
        return [(str(days), f"{days} days") for days in (7, 30, 90, 365)]

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those older than that."""
        return quiet(rows, now() - timedelta(days=int(chosen)))


class ActiveRunFilter(Choice):
    """Threads that a run keeps busy, or that none does."""

    title, parameter_name = "active run", "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Yes and no."""
        return (("yes", "Yes"), ("no", "No"))

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Busy or not."""
        return busy(rows) if chosen == "yes" else rows.exclude(id__in=busy(rows).values("id"))


class ContentsFilter(Choice):
    """Threads that lack something. One without a project cannot be: ``orphans`` looks for it."""

    title = parameter_name = "contents"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What they lack."""
        return (
            ("empty", "neither messages nor runs"),
            ("unsaid", "no messages"),
            ("unrun", "no runs"),
        )

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those without."""
        if chosen != "unrun":
            rows = rows.filter(~Exists(Message.objects.filter(thread_id=OuterRef("id"))))
        if chosen != "unsaid":
            rows = rows.filter(~Exists(Run.objects.filter(thread_id=OuterRef("id"))))
        return rows


class RunStatusFilter(Choice):
    """Runs in a status."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """All nine."""
        return [(str(status), str(status)) for status in RunStatus]

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Named together with the condition of the index that has them."""
        for values in (ACTIVE_VALUES, UNDONE_VALUES):
            if chosen in values:
                rows = rows.filter(status__in=spelled(values))
        return rows.filter(status=chosen)


class LeaseFilter(Choice):
    """Runs whose driver has gone silent."""

    title = parameter_name = "lease"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """One choice."""
        return (("lapsed", "lapsed"),)

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Driven, and silent."""
        rows = rows.filter(status__in=spelled(DRIVABLE_VALUES), lease_until__lt=now())
        return rows.filter(status__in=sorted(DRIVEN))


class ErrorFilter(Choice):
    """Failed runs, by the code of their error."""

    title, parameter_name = "error code", "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The codes of the published schema (run, ``last_error``)."""
        return [(code, code) for code in ("server_error", "rate_limit_exceeded", "invalid_prompt")]

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those that failed with it."""
        failed = rows.filter(status__in=spelled(UNDONE_VALUES), status=RunStatus.FAILED)
        return failed.filter(last_error__code=chosen)


class StepStatusFilter(Choice):
    """Steps in a status."""

    title = parameter_name = "status"
    statuses: type[StepStatus] | type[MessageStatus] = StepStatus

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """All of them."""
        return [(str(status), str(status)) for status in self.statuses]

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those in it."""
        return rows.filter(status=chosen)


class MessageStatusFilter(StepStatusFilter):
    """Messages in a status."""

    statuses = MessageStatus


class StepTypeFilter(Choice):
    """Steps of a type."""

    title = parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Both."""
        return (("message_creation", "message"), ("tool_calls", "tool calls"))

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those of it."""
        return rows.filter(type=chosen)


class RoleFilter(Choice):
    """Messages by who wrote them."""

    title = parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Both."""
        return (("user", "user"), ("assistant", "assistant"))

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Theirs."""
        return rows.filter(role=chosen)


class KeyUseFilter(Choice):
    """API keys that nobody needs, or can use."""

    title = parameter_name = "use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What there is to know of a key."""
        return (
            ("unused", f"live, unused for {UNUSED.days} days"),
            ("live", "live"),
            ("revoked", "revoked"),
        )

    def narrowed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """A key that was never used counts from when it was made."""
        if chosen == "revoked":
            return rows.exclude(revoked_at=None)
        live = rows.filter(revoked_at=None)
        if chosen == "live":
            return live
        used = Coalesce(F("last_used_at"), F("created_at"))
        found: QuerySet[Any] = live.annotate(used=used).filter(used__lt=now() - UNUSED)
        return found
