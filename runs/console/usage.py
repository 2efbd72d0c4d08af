"""What a project's runs took: sums by day and group, durations, and costs."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from django.db.models import Count, F, Q, QuerySet, Sum

from runs.console.costs import Costs, PriceList, added
from runs.contract.status import RunStatus
from runs.models import ApiKey, Assistant, Project, UsageEntry

#: The column of each grouping.
GROUPS = {"model": "model", "assistant": "assistant_id", "key": "key_id"}
FAILURES = (RunStatus.FAILED, RunStatus.EXPIRED)
SERIES = 5  # groups of a chart that have a colour of their own


@dataclass(frozen=True, slots=True)
class Cell:
    """The sums of one day, group and model."""

    day: date
    group: str
    model: str
    runs: int
    failed: int
    input: int
    cached: int
    output: int
    costs: Costs | None  # None: no price is set

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output


@dataclass
class Line:
    """The sums of some cells. ``costs`` are those that have a price."""

    name: str
    cells: list[Cell] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # ascending

    def sum(self, name: str) -> int:
        """The sum of a figure."""
        return sum(getattr(cell, name) for cell in self.cells)

    @cached_property
    def runs(self) -> int:
        """Runs that have ended."""
        return self.sum("runs")

    @cached_property
    def failed(self) -> int:
        """Those that failed or expired."""
        return self.sum("failed")

    @cached_property
    def input(self) -> int:
        """Tokens of prompts."""
        return self.sum("input")

    @cached_property
    def cached(self) -> int:
        """Those of them that the upstream had cached."""
        return self.sum("cached")

    @cached_property
    def output(self) -> int:
        """Tokens of answers."""
        return self.sum("output")

    @cached_property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output

    @cached_property
    def costs(self) -> Costs:
        """What those cost that have a price."""
        return added(cell.costs for cell in self.cells if cell.costs is not None)

    @cached_property
    def unpriced(self) -> list[str]:
        """The models that used tokens without a price."""
        return sorted({cell.model for cell in self.cells if cell.costs is None and cell.total})

    @property
    def median(self) -> float | None:
        """Half of the completed runs took no longer."""
        return percentile(self.seconds, 50)

    @property
    def slowest(self) -> float | None:
        """Of twenty completed runs nineteen took no longer."""
        return percentile(self.seconds, 95)


def percentile(ascending: list[float], share: int) -> float | None:
    """The value below or at which ``share`` percent are (nearest rank)."""
    if not ascending:
        return None
    return ascending[-(-len(ascending) * share // 100) - 1]


@dataclass
class Report:
    """The usage of ``days`` days up to and with ``last``, by a grouping of ``GROUPS``."""

    project: Project
    by: str
    days: int
    last: date

    @property
    def first(self) -> date:
        """Its first day."""
        return self.last - timedelta(days=self.days - 1)

    @property
    def rows(self) -> QuerySet[UsageEntry]:
        """The entries of its days."""
        found = UsageEntry.objects.for_project(self.project).order_by()
        return found.filter(day__gte=self.first, day__lte=self.last)

    @cached_property
    def cells(self) -> list[Cell]:
        """Its sums, as the database makes them."""
        prices = PriceList.of(self.project)
        column = GROUPS[self.by]
        # A column cannot be named twice: by model, the group is the model.
        sums = (
            self.rows.annotate(grouped=F(column))
            .values_list("day", "grouped", "model")
            .annotate(
                runs=Count("number"),
                failed=Count("number", filter=Q(status__in=FAILURES)),
                input=Sum("input_tokens"),
                cached=Sum("cached_tokens"),
                output=Sum("output_tokens"),
            )
        )
        return [
            Cell(
                day, group or "", model, runs, failed, input, cached, output,
                prices.cost(model, day, (input, cached, output)),
            )
            for day, group, model, runs, failed, input, cached, output in sums
        ]  # fmt: skip

    @cached_property
    def lines(self) -> list[Line]:
        """One line for each group, that of most tokens first."""
        names = self.names
        lines: dict[str, Line] = {}
        for cell in self.cells:
            line = lines.setdefault(cell.group, Line(names.get(cell.group) or cell.group))
            line.cells.append(cell)
        completed = self.rows.filter(status=RunStatus.COMPLETED).order_by("seconds")
        for group, seconds in completed.values_list(GROUPS[self.by], "seconds"):
            if (group or "") in lines:  # else it has come since the sums were made
                lines[group or ""].seconds.append(seconds)
        return sorted(lines.values(), key=lambda line: (-line.total, -line.runs, line.name))

    @cached_property
    def sum(self) -> Line:
        """All of it."""
        seconds = sorted(second for line in self.lines for second in line.seconds)
        return Line("All", self.cells, seconds)

    @cached_property
    def series(self) -> list[Line]:
        """The groups as a chart shows them: the small ones together."""
        shown, rest = self.lines[:SERIES], self.lines[SERIES:]
        others = Line(f"{len(rest)} others", [cell for line in rest for cell in line.cells])
        return [*shown, others] if rest else shown

    @cached_property
    def by_day(self) -> list[tuple[date, Line, list[int]]]:
        """Each day, the newest last, with its sums and the tokens of each series."""
        place = {id(cell): n for n, line in enumerate(self.series) for cell in line.cells}
        lines: dict[date, Line] = defaultdict(lambda: Line(""))
        tokens: dict[date, list[int]] = defaultdict(lambda: [0] * len(self.series))
        for cell in self.cells:
            lines[cell.day].cells.append(cell)
            tokens[cell.day][place[id(cell)]] += cell.total
        every = (self.first + timedelta(days=n) for n in range(self.days))
        return [(day, lines[day], tokens[day]) for day in every]

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of groups whose own is an id."""
        groups = {cell.group for cell in self.cells}
        if self.by == "assistant":
            rows = Assistant.objects.for_project(self.project).filter(id__in=groups)
            return {row.id: str(row) for row in rows.only("id", "name")}
        if self.by == "key":
            keys = ApiKey.objects.for_project(self.project).filter(id__in=groups)
            return {"": "No key: the console"} | {key.id: str(key) for key in keys}
        return {}
