"""What narrows the list of runs: filters in the query string, all of which must hold.

The address is the filter: it can be sent to somebody else, and means the same there. So a name
or value that is not understood is told to whoever asked, and never passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from runs.console.text import STATUS_WORDS, visible
from runs.contract.limits import METADATA_PAIRS
from runs.models import Run
from runs.models.metadata import HasPair
from runs.models.run import ENDED_AT

#: What a filter is called in the address, by its name here.
PARAMETERS = {
    "status": "status",
    "assistant": "assistant",
    "model": "model",
    "thread": "thread",
    "text": "q",
    "since": "from",
    "until": "to",
    "by": "by",
    "metadata": "metadata",
    "sort": "sort",
}
#: Where in the list a page begins. No filters, but they stand in the same address.
PLACES = ("after", "before")

#: Windows that end now, as they stand in the address.
WINDOWS = {
    "-15m": "Last 15 minutes",
    "-1h": "Last hour",
    "-24h": "Last 24 hours",
    "-7d": "Last 7 days",
    "-30d": "Last 30 days",
}
BY = {"created": "created", "ended": "ended"}
SORTS = {"newest": "Newest first", "oldest": "Oldest first"}

RELATIVE = re.compile(r"-([1-9][0-9]{0,4})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LONGEST = 600  # characters of a value: a pair of metadata has up to 577


class BadFilter(Exception):
    """The address asks for what the list cannot show; ``problems`` say what, in words."""

    def __init__(self, problems: list[str]):
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to. Times are as they were given: relative ones stay so."""

    status: tuple[str, ...] = ()
    assistant: str = ""
    model: str = ""
    thread: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    by: str = "created"
    metadata: tuple[tuple[str, str], ...] = ()
    sort: str = "newest"

    def __bool__(self) -> bool:
        """Whether anything is left out because of them."""
        return any(True for _ in chips(self))

    @property
    def query(self) -> str:
        """The query string that asks for them, always the same for the same filters."""
        return urlencode(list(pairs_of(self)))

    @property
    def oldest_first(self) -> bool:
        """Whether the oldest run comes first."""
        return self.sort == "oldest"


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter in words, and the query string without it."""

    label: str
    value: str
    without: str


def pairs_of(filters: Filters) -> Iterator[tuple[str, str]]:
    """The parameters that are not as they are anyway."""
    for field in fields(filters):
        value, name = getattr(filters, field.name), PARAMETERS[field.name]
        if value == field.default:
            continue
        if field.name == "metadata":
            yield from ((name, f"{key}:{text}") for key, text in value)
        else:
            yield name, ",".join(value) if field.name == "status" else value


def read(query: QueryDict) -> Filters:
    """The filters of a query string; one that is empty counts as not given.

    Raises:
        BadFilter: a name that is no filter, a value that none can have, or two for one.
    """
    problems = [
        f"There is no filter “{visible(name)}”."
        for name in query
        if name not in (*PARAMETERS.values(), *PLACES)
    ]
    given: dict[str, Any] = {}
    for field, name in PARAMETERS.items():
        values = [value.strip() for value in query.getlist(name) if value.strip()]
        try:
            if values:
                given[field] = value_of(field, name, values)
        except ValueError as problem:
            problems.append(str(problem))
    filters = Filters(**given)
    problems += contradictions(filters)
    if problems:
        raise BadFilter(problems)
    return filters


def value_of(field: str, name: str, values: list[str]) -> Any:
    """The value of one filter.

    Raises:
        ValueError: it cannot be that, in words.
    """
    if any("\0" in value for value in values):
        raise ValueError(f"“{name}” holds a NUL character, which no run has.")
    if any(len(value) > LONGEST for value in values):
        raise ValueError(f"“{name}” is longer than {LONGEST} characters.")
    if field == "status":
        return statuses(",".join(values).split(","))
    if field == "metadata":
        return metadata_pairs(values)
    if field in ("since", "until"):
        values = values[-1:]  # the form has a choice of windows and, after it, a time of one's own
        moment(values[0], timezone.now(), name)
    if len(set(values)) > 1:
        raise ValueError(f"“{name}” is given twice.")
    allowed = {"by": BY, "sort": SORTS}.get(field)
    if allowed is not None and values[0] not in allowed:
        words = " or ".join(allowed)
        raise ValueError(f"“{name}” is {words}, not “{visible(values[0])}”.")
    return values[0]


def statuses(given: list[str]) -> tuple[str, ...]:
    """Statuses in the order in which the list counts them, each once."""
    for status in given:
        if status not in STATUS_WORDS:
            raise ValueError(f"There is no status “{visible(status)}”.")
    return tuple(status for status in STATUS_WORDS if status in given)


def metadata_pairs(given: list[str]) -> tuple[tuple[str, str], ...]:
    """Pairs given as ``key:value``. The key ends at the first colon."""
    pairs: dict[str, str] = {}
    for text in given:
        key, colon, value = text.partition(":")
        if not colon:
            raise ValueError(f"“metadata” is key:value, not “{visible(text)}”.")
        if pairs.setdefault(key, value) != value:
            raise ValueError(f"“metadata” gives {visible(key)} two values.")
    if len(pairs) > METADATA_PAIRS:
        raise ValueError(f"“metadata” has more than {METADATA_PAIRS} pairs.")
    return tuple(sorted(pairs.items()))


def moment(given: str, now: datetime, name: str) -> datetime:
    """The time that a filter names: ``-1h`` before ``now``, or a date or time, UTC without a zone.

    Raises:
        ValueError: it is none of these.
    """
    if relative := RELATIVE.fullmatch(given):
        return now - timedelta(**{UNITS[relative[2]]: int(relative[1])})
    try:
        day = parse_date(given)
        at = datetime(day.year, day.month, day.day) if day else parse_datetime(given)
        if at is not None:
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the form of a date, but no such day, or no such year
        at = None
    if at is None:
        raise ValueError(
            f"“{name}” is a time such as -15m, -24h, -7d, 2026-11-28 or 2026-11-28T10:00, "
            f"not “{visible(given)}”."
        )
    return at


def contradictions(filters: Filters) -> Iterator[str]:
    """What cannot hold together."""
    now = timezone.now()
    both = filters.since and filters.until
    if both and moment(filters.since, now, "from") > moment(filters.until, now, "to"):
        yield "“from” is later than “to”."


def matching(rows: QuerySet[Run], filters: Filters) -> QuerySet[Run]:
    """The rows that all filters let pass, but for the text, which no database looks for."""
    equal = {"assistant_id": filters.assistant, "thread_id": filters.thread, "model": filters.model}
    rows = rows.filter(**{column: value for column, value in equal.items() if value})
    if filters.status:
        rows = rows.filter(status__in=filters.status)
    for key, value in filters.metadata:
        rows = rows.filter(HasPair(key, value))
    return within(rows, filters) if filters.since or filters.until else rows


def within(rows: QuerySet[Run], filters: Filters) -> QuerySet[Run]:
    """The rows whose time, of creation or of end, is in the window."""
    now = timezone.now()
    rows = rows.alias(time=ENDED_AT if filters.by == "ended" else F("created_at"))
    if filters.since:
        rows = rows.filter(time__gte=moment(filters.since, now, "from"))
    if filters.until:
        rows = rows.filter(time__lt=moment(filters.until, now, "to"))
    return rows


def chips(filters: Filters) -> Iterator[Chip]:
    """Each filter in words. The order and the kind of time are none: they leave nothing out."""
    word = BY[filters.by]
    times = {"since": f"{word} from", "until": f"{word} until"}
    if filters.status:
        words = " or ".join(STATUS_WORDS[status] for status in filters.status)
        yield Chip("status", words, replace(filters, status=()).query)
    for field in ("assistant", "model", "thread", "text", "since", "until"):
        if value := getattr(filters, field):
            emptied: Any = {field: ""}
            label, shown = times.get(field, field), WINDOWS.get(value, value)
            yield Chip(label, shown, replace(filters, **emptied).query)
    for pair in filters.metadata:
        rest = tuple(other for other in filters.metadata if other != pair)
        yield Chip("metadata", ":".join(pair), replace(filters, metadata=rest).query)
