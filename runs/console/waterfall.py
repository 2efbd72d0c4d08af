"""The time axis of a run: when nothing but waiting went on."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from runs.console.timeline import RunView, StepView
from runs.contract.status import StepStatus

LEAST = timedelta(seconds=1)  # shorter waits are never worth folding

#: From and to in milliseconds since the run's creation; None: it goes on.
Gap = tuple[int, int | None]


def idle_gaps(view: RunView) -> list[Gap]:
    """The times in which the model was not at work: in line, and waiting for tool outputs.

    The page folds those that take more than a fifth of what it shows.
    """
    gaps: list[Gap] = []
    at = view.run.created_at
    for start, end in sorted(busy(view), key=lambda span: span[0]):
        if start - at >= LEAST:
            gaps.append((since(view, at), since(view, start)))
        if end is None:
            return gaps
        at = max(at, end)
    last = view.ended_at if view.over else None
    if last is None:
        gaps.append((since(view, at), None))
    elif last - at >= LEAST:
        gaps.append((since(view, at), since(view, last)))
    return gaps


def busy(view: RunView) -> Iterator[tuple[datetime, datetime | None]]:
    """When the model was at work: from the request on. None: it still is."""
    for step in view.steps:
        row = step.row
        yield row.asked_at or row.created_at, work_end(step)
    last = view.steps[-1] if view.steps else None
    begun = view.run.started_at
    if begun and (last is None or last.ended_at) and view.run.status == "in_progress":
        yield (last.ended_at if last else None) or begun, None
    elif begun and last is None and view.ended_at:
        yield begun, view.ended_at


def work_end(step: StepView) -> datetime | None:
    """When the model was done with a step: of calls, before their outputs were waited for."""
    row = step.row
    if step.writes or row.called_at:
        return step.ended_at if step.writes else row.called_at
    return row.created_at if step.stored or row.status == StepStatus.COMPLETED else step.ended_at


def since(view: RunView, at: datetime) -> int:
    """Milliseconds from the run's creation."""
    return round((at - view.run.created_at) / timedelta(milliseconds=1))
