"""The overview, and the inbox of all that waits for a person."""

from datetime import timedelta

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs.console.desk import desks_of
from runs.console.overview import last_day, tokens_today
from runs.console.pages import ConsoleRequest, base_url, member_only, page
from runs.contract.status import DRIVEN, RunStatus
from runs.models import Assistant, Project, Run
from runs.models.columns import spelled

SHOWN = 5  # runs per list of the overview
INBOX = 20  # waiting runs on one page


@member_only
@require_GET
def overview(request: ConsoleRequest, project: Project) -> HttpResponse:
    """What waits, runs and failed, and how busy the last day was."""
    now = timezone.now()
    rows = Run.objects.for_project(project)
    running = rows.filter(status__in=spelled(sorted(DRIVEN))).order_by("-number")
    failed = rows.filter(status=RunStatus.FAILED, failed_at__gte=now - timedelta(days=1))
    context = {
        "waiting": list(waiting_runs(project)[:SHOWN]),
        "running": list(running[:SHOWN]),
        "failed": list(failed.order_by("-number")[:SHOWN]),
        "day": last_day(project, now),
        "tokens": tokens_today(project, now),
        "base_url": base_url(request),
    }
    if not any(context[name] for name in ("waiting", "running", "failed")):
        context["nothing"] = not rows.exists()
    return page(request, project, "console/overview.html", context)


@member_only
@require_GET
def inbox(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Everything that waits for tool outputs, soonest deadline first."""
    found = list(waiting_runs(project)[: INBOX + 1])
    shown = found[:INBOX]
    names = Assistant.objects.for_project(project).filter(
        id__in={run.assistant_id for run in shown}
    )
    context = {
        "desks": desks_of(project, shown, request.role),
        "assistants": {row.id: str(row) for row in names},
        "more": len(found) > INBOX,
    }
    return page(request, project, "console/inbox.html", context)


def waiting_runs(project: Project) -> QuerySet[Run]:
    """The runs that wait for outputs, soonest deadline first."""
    rows = Run.objects.for_project(project).filter(status=RunStatus.REQUIRES_ACTION)
    return rows.order_by("expires_at", "number")
