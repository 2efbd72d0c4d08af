"""Two runs side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from runs.console.comparison import Pair, open_pairs, pairs, settings_that_differ
from runs.console.pages import ConsoleRequest, find, member_only, page, with_id
from runs.console.steps import all_steps, fill_steps
from runs.console.timeline import RunView
from runs.contract.roles import Role
from runs.models import Project, Run

PARAMETERS = {"a", "b", "pair"}


@dataclass(frozen=True, slots=True)
class Total:
    """A figure of both runs, and by how much the second one is higher."""

    name: str
    unit: str  # "tokens", "seconds" or "steps"
    a: float | None
    b: float | None

    @property
    def more(self) -> float | None:
        """The difference, where both are known."""
        return None if self.a is None or self.b is None else self.b - self.a


@member_only
@require_GET
def compare(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Compare runs ``a`` and ``b``; without ``b``, choose what to compare ``a`` with."""
    if unknown := sorted(set(request.GET) - PARAMETERS):
        raise Http404(f"A comparison takes a, b and pair, and no {', '.join(unknown)}.")
    rows = Run.objects.for_project(project).select_related("project")
    first = find(rows, "run", request.GET.get("a", "").strip())
    other = request.GET.get("b", "").strip()
    second = with_id(rows, other).first() if other else None
    if second is None:
        context = {"a": first, "choices": choices(project, first), "other": other}
        return page(request, project, "console/compare_with.html", context)
    views = [whole(project, run, request.role) for run in (first, second)]
    found = pairs(views[0].steps, views[1].steps)
    open_pairs(found, place(request.GET, found))
    context = {
        "a": first,
        "b": second,
        "totals": totals(*views),
        "settings": settings_that_differ(first, second),
        "pairs": found,
        "differ": sum(not pair.same for pair in found),
    }
    return page(request, project, "console/compare.html", context)


def whole(project: Project, run: Run, role: Role) -> RunView:
    """A run with all that its steps hold: without it, no two of them could be called the same."""
    view = RunView(run, role, all_steps(project, run), [])
    fill_steps(project, run, view.steps, run.last_number, bodies=True)
    return view


def place(asked: Mapping[str, str], found: list[Pair]) -> int | None:
    """Which pair of steps is asked for.

    Raises:
        Http404: there is no such pair.
    """
    given = asked.get("pair")
    if given is None:
        return None
    known = {str(pair.place): pair.place for pair in found}
    if given not in known:
        raise Http404(f"These runs have {len(found)} pairs of steps.")
    return known[given]


def totals(a: RunView, b: RunView) -> list[Total]:
    """The figures of two runs."""

    def tokens(name: str) -> Any:
        usages = [view.run.usage for view in (a, b)]
        return [usage[name] if usage else None for usage in usages]

    return [
        Total("Total time", "seconds", a.seconds, b.seconds),
        Total("Until it began", "seconds", waited(a.run), waited(b.run)),
        Total("Tokens in", "tokens", *tokens("prompt_tokens")),
        Total("Tokens out", "tokens", *tokens("completion_tokens")),
        Total("Steps", "steps", len(a.steps), len(b.steps)),
    ]


def waited(run: Run) -> float | None:
    """Seconds from a run's creation to its first claim."""
    return (run.started_at - run.created_at).total_seconds() if run.started_at else None


def choices(project: Project, run: Run) -> list[tuple[str, Run]]:
    """Runs that one would compare a run with, and what they are to it."""
    rows = Run.objects.for_project(project)
    before = rows.filter(thread_id=run.thread_id, number__lt=run.number).order_by("-number")[:1]
    original = rows.filter(id=run.rerun_of) if run.rerun_of else rows.none()
    again = rows.filter(rerun_of=run.id).order_by("-number")[:10]
    found = [("Previous run of the thread", row) for row in before]
    found += [("Original of this rerun", row) for row in original]
    return found + [("Rerun of it", row) for row in again]
