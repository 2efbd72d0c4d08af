"""Rows of the list of runs, with what is read for all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runs.models import Assistant, Project, Run, RunStep


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list, and how many steps it has made."""

    run: Run
    steps: int


def rows_of(project: Project, runs: Sequence[Run]) -> list[Row]:
    """The rows of some runs, in their order; one query for all."""
    steps: dict[str, list[RunStep]] = {run.id: [] for run in runs}
    for step in RunStep.objects.for_project(project).filter(run_id__in=list(steps)):
        steps[step.run_id].append(step)
    return [Row(run, len(steps[run.id])) for run in runs]


def names_of(project: Project, runs: Iterable[Run], known: Iterable[Assistant]) -> dict[str, str]:
    """The names of the assistants of some runs by their ids; those that are known need no query."""
    names = {row.id: str(row) for row in known}
    missing = {run.assistant_id for run in runs} - set(names)
    rows = Assistant.objects.for_project(project).filter(id__in=missing) if missing else ()
    return names | {row.id: str(row) for row in rows}
