"""What asks for attention in a project: the figures in the navigation, live on every page."""

from dataclasses import asdict, dataclass

from django.core.cache import cache
from django.db.models import Count

from runs.contract.status import RunStatus
from runs.models import Project, Run
from runs.models.columns import spelled

FRESH = 1  # seconds that figures are shared for by all pages and sockets of this process


@dataclass(frozen=True, slots=True)
class Attention:
    """How many runs wait for a person, and how many are under way."""

    waiting: int = 0
    running: int = 0


def attention(project: Project) -> Attention:
    """The figures of a project, at most a second old."""
    key = f"attention-{project.id}"
    found: dict[str, int] | None = cache.get(key)
    if found is None:
        found = asdict(counted(project))
        cache.set(key, found, FRESH)
    return Attention(**found)


def counted(project: Project) -> Attention:
    """The figures as the database has them."""
    wanted = [RunStatus.REQUIRES_ACTION, RunStatus.IN_PROGRESS, RunStatus.CANCELLING]
    rows = Run.objects.for_project(project).filter(status__in=spelled(wanted)).order_by()
    numbers = dict(rows.values_list("status").annotate(Count("number")))
    waiting = numbers.pop(RunStatus.REQUIRES_ACTION, 0)
    return Attention(waiting=waiting, running=sum(numbers.values()))
