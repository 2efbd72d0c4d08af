"""What the project's runs took, by day and by model, assistant or API key."""

import csv
import re

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs.console.chart import bars, peak
from runs.console.costs import money
from runs.console.pages import ConsoleRequest, member_only, page
from runs.console.usage import GROUPS, Report
from runs.models import Project

LONGEST = 366  # days
GROUPINGS = {"model": "Model", "assistant": "Assistant", "key": "API key"}
SPANS = (7, 30, 90)
COLUMNS = ("day", "group", "model", "runs", "failed", "input", "cached", "output", "cost")


@member_only
@require_GET
def usage(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The page; ``?format=csv``: its figures as a file."""
    report = report_of(request, project)
    if request.GET.get("format") == "csv":
        return download(report)
    context = {
        "report": report,
        "bars": bars(report.by_day),
        "peak": peak(report.by_day),
        "groupings": GROUPINGS,
        "grouping": GROUPINGS[report.by],
        "spans": SPANS,
    }
    return page(request, project, "console/usage.html", context)


def report_of(request: ConsoleRequest, project: Project) -> Report:
    """The report that ``?by=model&from=-30d`` asks for.

    Raises:
        Http404: there is no such grouping, span or format.
    """
    by, span = request.GET.get("by", "model"), request.GET.get("from", "-30d")
    if by not in GROUPS:
        raise Http404(f"Usage cannot be grouped by “{by[:40]}”. Choose model, assistant or key.")
    days = re.fullmatch("-([0-9]{1,3})d", span)
    if days is None or not 1 <= int(days[1]) <= LONGEST:
        raise Http404(f"“from” is a number of days back, from -1d to -{LONGEST}d.")
    if request.GET.get("format", "csv") != "csv":
        raise Http404("Usage can be had as a page or as csv.")
    return Report(project, by, int(days[1]), timezone.now().date())


def download(report: Report) -> HttpResponse:
    """A line for each day, group and model; no cost where no price is set."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"usage-by-{report.by}-{report.first}-{report.last}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    lines = csv.writer(answer)
    lines.writerow(COLUMNS)
    for cell in sorted(report.cells, key=lambda cell: (cell.day, cell.group, cell.model)):
        group = report.names.get(cell.group) or cell.group
        figures = (cell.runs, cell.failed, cell.input, cell.cached, cell.output)
        cost = "" if cell.costs is None else money(cell.costs)
        lines.writerow([cell.day, safe(group), safe(cell.model), *figures, cost])
    return answer


def safe(text: str) -> str:
    """A name that a spreadsheet takes for no formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def as_given(text: str) -> str:
    """What ``safe`` was given."""
    return text[1:] if text.startswith("'") and safe(text[1:]) == text else text
