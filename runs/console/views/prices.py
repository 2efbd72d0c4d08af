"""What tokens cost: prices by model and day, and the way in and out of them as CSV."""

import csv
import io
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.pages import ConsoleRequest, form_of, member_only, page
from runs.console.views.usage import as_given, safe
from runs.contract.errors import BadRequest
from runs.models import Price, Project

COLUMNS = ("model", "input", "cached", "output", "currency", "valid_from")
ROWS = 1000  # of a file
BYTES = 512 * 1024


def figure(**options: Any) -> forms.DecimalField:
    """The price of a million tokens."""
    return forms.DecimalField(min_value=0, max_digits=14, decimal_places=6, **options)


class PriceForm(forms.Form):
    """A price. Its fields are the columns of the file, too."""

    model = forms.CharField(
        max_length=256, help_text="A name, or its beginning and a star: gpt-4o*"
    )
    input = figure(label="Input", help_text="Per million tokens.")
    cached = figure(required=False, label="Cached input", help_text="Empty: as other input.")
    output = figure(label="Output", help_text="Per million tokens.")
    currency = forms.CharField(max_length=3, initial="USD")
    valid_from = forms.DateField(
        label="Valid from", help_text="A day in UTC: 2026-11-28", input_formats=["%Y-%m-%d"]
    )

    def columns(self) -> dict[str, Any]:
        """The columns of a price."""
        data = dict(self.cleaned_data)
        return {"pattern": data.pop("model"), **data}


@member_only
@require_http_methods(["GET", "POST"])
def prices(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The prices; a POST adds one; ``?format=csv`` is all of them as a file."""
    if request.method == "GET" and "format" in request.GET:
        if request.GET["format"] != "csv":
            raise Http404("Prices can be had as a page or as csv.")
        return download(project)
    form = PriceForm(request.POST or None, initial={"valid_from": today(), **asked(request)})
    if form.is_bound and form.is_valid():
        try:
            made = operations.add_prices(project, [form.columns()])
        except BadRequest as refusal:
            name = {"pattern": "model"}.get(refusal.param or "", refusal.param)
            form.add_error(name, refusal.message)
        else:
            messages.success(
                request, "The price is set." if made else "That price was set already."
            )
            return redirect("console:prices")
    return prices_page(request, project, form)


def prices_page(
    request: ConsoleRequest, project: Project, form: PriceForm, problems: list[str] | None = None
) -> HttpResponse:
    """The page; ``problems``: why a file was refused."""
    rows = Price.objects.for_project(project)
    context = {"form": form, "prices": rows, "problems": problems, "today": today()}
    refused = problems or (form.is_bound and form.errors)
    return page(request, project, "console/prices.html", context, status=422 if refused else 200)


def today() -> str:
    """The day it is in UTC."""
    return timezone.now().date().isoformat()


def asked(request: ConsoleRequest) -> dict[str, str]:
    """The model that a link asks to set a price for."""
    return {"model": request.GET["model"]} if "model" in request.GET else {}


@form_of("prices")
@member_only
def remove(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """Remove a price."""
    found = Price.objects.for_project(project).filter(number=number).first()
    if found is None:
        raise Http404("No such price in this project. It may have been removed.")
    operations.remove_price(found)
    messages.success(request, f"The price of “{found}” is removed.")
    return redirect("console:prices")


@form_of("prices")
@member_only
def take(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Add the prices of a file, all or none."""
    form = PriceForm(initial={"valid_from": today()})
    wanted, problems = read(request.FILES.get("file"))
    if not problems:
        try:
            made = operations.add_prices(project, wanted)
        except BadRequest as refusal:
            problems = [refusal.message]
        else:
            there = len(wanted) - made
            also = f" {there} were there already." if there else ""
            messages.success(request, f"{made} prices were added.{also}")
            return redirect("console:prices")
    return prices_page(request, project, form, problems)


def read(file: "UploadedFile[Any] | None") -> tuple[list[dict[str, Any]], list[str]]:
    """The prices of a CSV file, or what is wrong with it, line by line."""
    if file is None or (file.size or 0) > BYTES:
        return [], [f"Choose a CSV file of at most {BYTES // 1024} KiB."]
    try:
        lines = csv.DictReader(io.StringIO(file.read().decode("utf-8-sig"), newline=""))
        rows = list(lines)
    except (UnicodeDecodeError, csv.Error) as error:
        return [], [f"This is not CSV in UTF-8: {error}."]
    ragged = any(None in row for row in rows)
    if set(lines.fieldnames or ()) != set(COLUMNS) or len(rows) > ROWS or ragged:
        return [], [f"The first line must name {', '.join(COLUMNS)}; at most {ROWS} lines follow."]
    wanted, problems = [], []
    for place, row in enumerate(rows, start=2):
        given = {name: row[name] or "" for name in COLUMNS}
        form = PriceForm(given | {"model": as_given(given["model"])})
        if form.is_valid():
            wanted.append(form.columns())
        else:
            problems += [
                f"Line {place}, {name}: {' '.join(map(str, e))}" for name, e in form.errors.items()
            ]
    return wanted, problems[:20]


def download(project: Project) -> HttpResponse:
    """All prices, as the import takes them."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="prices.csv"'
    lines = csv.writer(answer)
    lines.writerow(COLUMNS)
    for row in Price.objects.for_project(project):
        cached = "" if row.cached is None else row.cached
        name = safe(row.pattern)
        lines.writerow([name, row.input, cached, row.output, row.currency, row.valid_from])
    return answer
