"""What is done to many runs at once: which ones, and what becomes of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.http import QueryDict

from runs import operations
from runs.console.filters import Filters, read
from runs.console.listing import ordered, top
from runs.console.search import Found
from runs.contract.errors import ApiError, BadRequest
from runs.contract.status import ACTIVE, RunStatus
from runs.models import Message, Project, Run, Thread

AT_MOST = 1000  # runs that are named one by one
AT_ONCE = 100  # runs that one request works on
CANCELLABLE = sorted(ACTIVE - {RunStatus.CANCELLING})


@dataclass(frozen=True, slots=True)
class Choice:
    """The runs that somebody chose: by their ids, or all that filters let pass up to the run
    number ``upto``, so that what comes later is not among them. Of a search for text, those that
    it had looked at when it was chosen: ``edge`` is the number of the last of them, and what a
    later search finds beyond is not among them either."""

    ids: tuple[str, ...] = ()
    filters: Filters | None = None
    upto: int = 0
    edge: int = 0

    def rows(self, project: Project) -> QuerySet[Run]:
        """The runs, newest first."""
        every = Run.objects.for_project(project).order_by("-number")
        if self.filters is None:
            return every.filter(id__in=self.ids)
        if self.filters.text:
            found = top(project, self.filters, self.upto)
            wanted = [
                hit.number
                for hit in found.hits
                if not self.filters.status or hit.status in self.filters.status
            ]
            side = "number__lte" if self.filters.oldest_first else "number__gte"
            return every.filter(number__in=wanted, **{side: self.edge})
        rows = ordered(project, self.filters).filter(number__lte=self.upto)
        return rows.order_by("-number")


def choice_of(project: Project, form: QueryDict) -> Choice:
    """What a form chose: ``all`` of what ``filters`` lets pass, else each ``run``.

    Raises:
        BadRequest: nothing, or more than can be named.
        BadFilter: the filters are none.
    """
    if form.get("all"):
        filters = read(QueryDict(form.get("filters", "")))
        upto, edge = number(form, "upto"), number(form, "edge")
        if upto is None:
            numbers = Run.objects.for_project(project).order_by("-number")
            upto = numbers.values_list("number", flat=True).first() or 0
        if edge is None:
            edge = top(project, filters, upto).edge if filters.text else 0
        return Choice(filters=filters, upto=upto, edge=edge)
    named = " ".join(form.getlist("run")).split()
    ids = tuple(dict.fromkeys(run_id for run_id in named if "\0" not in run_id))
    if not ids:
        raise BadRequest("No run is selected.")
    if len(ids) > AT_MOST:
        raise BadRequest(f"More than {AT_MOST} runs are selected. Use filters, and all matching.")
    return Choice(ids=ids)


def number(form: QueryDict, name: str) -> int | None:
    """A whole number that a form carries on; None if it has none."""
    given = form.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None


@dataclass
class Outcome:
    """What one request did: how many it changed, whom it could not and why, and where to go on
    (a run's number; None: it is done)."""

    done: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    rest: int | None = None


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that is done to many runs. Texts are for people: "Cancel 3 runs"."""

    word: str
    past: str
    #: Those of the chosen runs to which it can be done.
    suits: Callable[[QuerySet[Run]], QuerySet[Run]]
    unsuited: str = ""  # why it is not done to the others
    danger: bool = False


def cancel(run: Run) -> bool:
    """Cancel a run."""
    operations.cancel_run(run)
    return True


def delete(run: Run) -> bool:
    """Delete the thread of a run, and with it all its runs; False if it is gone already."""
    thread = Thread.objects.filter(id=run.thread_id).first()
    if thread is not None:
        operations.delete_thread(thread)
    return thread is not None


VERBS: Mapping[str, Verb] = {
    "cancel": Verb(
        "Cancel", "Cancelled", lambda rows: rows.filter(status__in=CANCELLABLE),
        unsuited="ended already, or being cancelled", danger=True,
    ),
    "rerun": Verb("Rerun", "Started again", lambda rows: rows),
    "delete": Verb("Delete", "Deleted", lambda rows: rows, danger=True),
}  # fmt: skip


def carry_out(
    project: Project, verb: Verb, choice: Choice, before: int | None, do: Callable[[Run], bool]
) -> Outcome:
    """Do it to the next of the chosen runs, those with a number below ``before``. ``do`` does it
    to one; False: there was nothing left to do.

    Runs that were named all suited when they were shown: one that no longer does is told.
    """
    outcome = Outcome()
    rows = choice.rows(project)
    if choice.filters is not None:
        rows = verb.suits(rows)
    if before is not None:
        rows = rows.filter(number__lt=before)
    found = list(rows[: AT_ONCE + 1])
    for run in found[:AT_ONCE]:
        try:
            outcome.done += do(run)
        except ApiError as refusal:
            outcome.failures.append((run.id, refusal.message))
    if len(found) > AT_ONCE:
        outcome.rest = found[AT_ONCE - 1].number
    return outcome


@dataclass(frozen=True, slots=True)
class Extent:
    """What would be done: to how many of the chosen runs, and what goes with them."""

    chosen: int
    suited: int
    threads: int = 0
    runs: int = 0
    messages: int = 0

    @property
    def others(self) -> int:
        """How many runs go with the chosen ones because they are on the same threads."""
        return self.runs - self.suited


def extent_of(project: Project, name: str, choice: Choice) -> Extent:
    """Counts what a verb would be done to."""
    rows = choice.rows(project)
    suited = VERBS[name].suits(rows)
    chosen = rows.count()
    if name != "delete":
        return Extent(chosen, suited.count())
    threads = suited.order_by().values("thread_id").distinct()
    return Extent(
        chosen,
        chosen,
        threads=threads.count(),
        runs=Run.objects.for_project(project).filter(thread_id__in=threads).count(),
        messages=Message.objects.for_project(project).filter(thread_id__in=threads).count(),
    )


def suited(project: Project, verb: Verb, choice: Choice) -> Choice:
    """The choice without the runs to which it cannot be done, if they were named."""
    if choice.filters is not None:
        return choice
    return Choice(tuple(verb.suits(choice.rows(project)).values_list("id", flat=True)))


def searched(project: Project, choice: Choice) -> Found | None:
    """How far the search went that found the runs; None if there was none, or nothing is beyond."""
    if choice.filters is None or not choice.filters.text:
        return None
    found = top(project, choice.filters, choice.upto)
    return None if found.whole else found


def hidden(choice: Choice) -> Iterator[tuple[str, str]]:
    """The fields that make the same choice again: few, however many runs there are."""
    if choice.filters is None:
        yield "run", " ".join(choice.ids)
    else:
        yield "all", "1"
        yield "filters", choice.filters.query
        yield "upto", str(choice.upto)
        yield "edge", str(choice.edge)
