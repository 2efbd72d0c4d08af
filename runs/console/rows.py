"""Rows of the list of runs, with what is read for all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from runs.console.split import Part, split_of
from runs.console.timeline import CallView, RunView, StepView
from runs.contract.roles import Role
from runs.models import Assistant, Project, Run, RunStep


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a run's time as a piece of a bar that is 100 long."""

    part: Part
    start: int


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list: how many steps it has made, and where its time went."""

    run: Run
    steps: int
    bars: list[Bar]

    @property
    def split(self) -> str:
        """The bar in words."""
        parts = (f"{bar.part.label} {bar.part.percent} %" for bar in self.bars)
        return ", ".join(parts)


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """The rows of some runs, in their order; one query for all."""
    steps: dict[str, list[StepView]] = {run.id: [] for run in runs}
    # The runs are the project's: joining it once more costs SQLite a scan.
    found = RunStep.objects.filter(run_id__in=list(steps))
    for step in found.order_by("number"):
        steps[str(step.run_id)].append(StepView(step, calls=calls_of(step)))
    now = timezone.now()
    return [
        Row(
            run,
            len(steps[run.id]),
            bars_of(split_of(RunView(run, Role.READER, steps[run.id], []), now).parts),
        )
        for run in runs
    ]


def calls_of(step: RunStep) -> list[CallView]:
    """Stands for the calls of a step, of which the time only asks whether they are whole."""
    whole = step.called_at is not None and step.type == "tool_calls"
    return [CallView(id=step.id)] if whole else []


def bars_of(parts: Sequence[Part]) -> list[Bar]:
    """The parts that can be seen, one after the other."""
    bars, start = [], 0
    for part in parts:
        if part.percent:
            bars.append(Bar(part, start))
        start += part.percent
    return bars


def names_of(project: Project, runs: Iterable[Run], known: Iterable[Assistant]) -> dict[str, str]:
    """The names of the assistants of some runs by their ids; those that are known need no query."""
    names = {row.id: str(row) for row in known}
    missing = {run.assistant_id for run in runs} - set(names)
    rows = Assistant.objects.for_project(project).filter(id__in=missing) if missing else ()
    return names | {row.id: str(row) for row in rows}
