"""What the address of a run's page asks for. All of the page's state is in it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import Http404

PAGE = 500  # steps of one page of a long run

VIEWS = ("timeline", "compact", "events", "json")
RANGE = re.compile("([0-9]{1,12})-([0-9]{1,12})")  # milliseconds since the run's creation
FLAG = {"": False, "1": True}


@dataclass(frozen=True, slots=True)
class RunQuery:
    """The query of a run's page, checked.

    Attributes:
        step: the id of the step that is open, and whose page of the list is shown.
        find: text that is looked for in the steps.
        errors: show only steps that did not end well.
        page: which page of a long list; 0: the first, or the last of a run that goes on.
        range: the part of the time axis that is shown: ``from-to`` in milliseconds.
        idle: show idle time at full length.
        list: the query of the list of runs that the page was opened from, which is kept;
            empty: the list of all. None: it was opened from no list.
    """

    view: str = "timeline"
    step: str = ""
    find: str = ""
    errors: bool = False
    page: int = 0
    range: str = ""
    idle: bool = False
    list: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "RunQuery":
        """The query of an address.

        Raises:
            Http404: it asks for something that there is not.
        """
        view, page = query.get("view", "timeline"), query.get("page", "0")
        span = query.get("range", "")
        bounds = RANGE.fullmatch(span)
        if view not in VIEWS:
            raise Http404(f"A run has no view of this name. It has {', '.join(VIEWS)}.")
        if not re.fullmatch("[0-9]{1,6}", page):
            raise Http404("The page of the steps must be a number.")
        if span and not (bounds and int(bounds[1]) < int(bounds[2])):
            raise Http404("A range is two numbers of milliseconds, as in 500-2000.")
        return cls(
            view,
            query.get("step", ""),
            query.get("find", "").strip(),
            flag(query, "errors"),
            int(page),
            span,
            flag(query, "idle"),
            query.get("list"),
        )

    @property
    def kept(self) -> str:
        """What all pages of a run hand on to each other: the list, if there is one."""
        return "" if self.list is None else f"?{urlencode({'list': self.list})}"

    def link(self, **changes: Any) -> str:
        """The query with some values changed; what is as usual is left out."""
        usual = asdict(RunQuery())
        values = asdict(replace(self, **changes))
        given = {
            name: "1" if value is True else value
            for name, value in values.items()
            if value != usual[name]
        }
        return f"?{urlencode(given)}"


def flag(query: Mapping[str, str], name: str) -> bool:
    """A yes or no of the query.

    Raises:
        Http404: it is neither.
    """
    value = query.get(name, "")
    if value not in FLAG:
        raise Http404(f"“{name}” must be 1 or left out.")
    return FLAG[value]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a long list is shown: the rows from ``start`` up to ``end``."""

    number: int = 1
    pages: int = 1
    start: int = 0
    end: int = 0
    total: int = 0

    @classmethod
    def of(cls, total: int, number: int) -> "Paging":
        """Page ``number``, or the nearest there is."""
        pages = max(-(-total // PAGE), 1)
        number = min(max(number, 1), pages)
        start = (number - 1) * PAGE
        return cls(number, pages, start, min(start + PAGE, total), total)

    @property
    def last(self) -> bool:
        """Whether nothing comes after it."""
        return self.number == self.pages

    @property
    def first(self) -> int:
        """The place of its first row, from 1."""
        return min(self.start + 1, self.total)

    @property
    def before(self) -> int:
        """The number of the page before."""
        return self.number - 1

    @property
    def after(self) -> int:
        """The number of the page after."""
        return self.number + 1
