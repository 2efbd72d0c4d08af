"""The figures of the overview: what the last day was like."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, IntegerField, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, TruncHour
from django.utils import timezone

from runs.console.zones import UTC
from runs.contract.status import TERMINAL, RunStatus
from runs.models import Project, Run

HOURS = 24
HEIGHT = 64  # units of the strip's drawing

#: What a bar is made of, from the bottom, and the statuses of each part.
PARTS = {
    "completed": {RunStatus.COMPLETED},
    "failed": {RunStatus.FAILED, RunStatus.EXPIRED, RunStatus.INCOMPLETE},
    "cancelled": {RunStatus.CANCELLED},
    "in_progress": set(RunStatus) - TERMINAL,
}


@dataclass(frozen=True, slots=True)
class Hour:
    """The runs that were created in one hour, by ``PARTS``."""

    at: datetime
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a bar, in units of the drawing."""

    part: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours, oldest first."""

    hours: list[Hour]

    @property
    def totals(self) -> dict[str, int]:
        """Runs by ``PARTS``."""
        return {part: sum(hour.counts[part] for hour in self.hours) for part in PARTS}

    @property
    def total(self) -> int:
        """All runs."""
        return sum(hour.total for hour in self.hours)

    @property
    def highest(self) -> int:
        """The runs of the busiest hour."""
        return max(hour.total for hour in self.hours)

    @property
    def pieces(self) -> list[Piece]:
        """The bars: one per hour, ten units apart."""
        unit = HEIGHT / max(self.highest, 1)
        pieces = []
        for place, hour in enumerate(self.hours):
            top = float(HEIGHT)
            for part, count in hour.counts.items():
                top -= count * unit
                if count:
                    pieces.append(Piece(part, place * 10, round(top, 2), round(count * unit, 2)))
        return pieces


def last_day(project: Project, now: datetime) -> Day:
    """The runs of the 24 hours that end with the hour of ``now``.

    Hours of UTC: a local clock may have one twice, or leave one out.
    """
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [hour - timedelta(hours=back) for back in reversed(range(HOURS))]
    rows = Run.objects.for_project(project).filter(created_at__gte=starts[0]).order_by()
    hours = TruncHour("created_at", tzinfo=UTC)
    found = rows.values_list(hours, "status").annotate(Count("number"))
    counted: Counter[tuple[datetime, str]] = Counter()
    for at, status, number in found:
        counted[at, status] += number
    return Day([Hour(at, parts_of(counted, at)) for at in starts])


def parts_of(counted: Counter[tuple[datetime, str]], at: datetime) -> dict[str, int]:
    """The counts of an hour by ``PARTS``."""
    return {
        part: sum(counted[at, status] for status in statuses) for part, statuses in PARTS.items()
    }


def tokens_today(project: Project, now: datetime) -> int:
    """Tokens of the runs created since midnight, in the zone of who reads."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Run.objects.for_project(project).filter(created_at__gte=midnight).order_by()
    total = Sum(Cast(KT("usage__total_tokens"), IntegerField()))
    return rows.aggregate(total=total)["total"] or 0
