"""Where the time of a run went: five parts that always add up to all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runs.console.timeline import RunView, StepView
from runs.contract.status import RunStatus, StepStatus

QUEUE, WAIT, MODEL, TOOLS, OTHER = "queue", "wait", "model", "tools", "other"

#: Each part in words, and what counts as it, in the order in which they are shown.
PARTS = {
    QUEUE: ("Queue", "In line, and until somebody took the run up; after tool outputs, too."),
    WAIT: ("Model wait", "From each request to the model to its first token."),
    MODEL: ("Model", "While the model wrote."),
    TOOLS: ("Tools", "Waiting for tool outputs."),
    OTHER: ("Other", "Runsite's own work, and attempts that were interrupted."),
}

ZERO = timedelta()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run's time. ``grows``: it is what passes now."""

    key: str
    time: timedelta
    percent: int
    grows: bool

    @property
    def label(self) -> str:
        """Its name."""
        return PARTS[self.key][0]

    @property
    def meaning(self) -> str:
        """What counts as it."""
        return PARTS[self.key][1]

    @property
    def milliseconds(self) -> int:
        """Its time, for the page's script."""
        return round(self.time / timedelta(milliseconds=1))


@dataclass(frozen=True, slots=True)
class Split:
    """All parts as of ``at``. Their times add up to the run's, their percents to 100."""

    at: datetime
    parts: list[Part]


class Spending:
    """Hands the time from ``start`` to ``end`` out in order, no moment twice."""

    def __init__(self, start: datetime, end: datetime):
        self.at = start
        self.end = max(start, end)
        self.spent = dict.fromkeys(PARTS, ZERO)

    def on(self, key: str, until: datetime | None) -> None:
        """Count the time that is left up to ``until`` as part ``key``; none without one.

        Clocks of several machines may overlap: what was counted is not counted again.
        """
        if until is None:
            return
        until = min(max(until, self.at), self.end)
        self.spent[key] += until - self.at
        self.at = until


def split_of(view: RunView, at: datetime) -> Split:
    """The parts of a run's time, up to its end or ``at``."""
    run = view.run
    spending = Spending(run.created_at, (view.ended_at if view.over else None) or at)
    spending.on(QUEUE, run.started_at)
    before = OTHER
    for step in view.steps:
        spend_step(spending, step, before)
        before = OTHER if step.writes or step.row.interrupted else QUEUE
    now_on = doing(view)
    spending.on(now_on, spending.end)
    times = list(spending.spent.values())
    shares = percents([time // timedelta(microseconds=1) for time in times])
    return Split(
        at,
        [
            Part(key, time, share, grows=not view.over and key == now_on)
            for key, time, share in zip(PARTS, times, shares, strict=True)
        ],
    )


def spend_step(spending: Spending, step: StepView, before: str) -> None:
    """Count the time of one step. ``before``: as what the time up to its request counts."""
    row = step.row
    if row.index == 0:
        spending.on(before, row.asked_at)
        spending.on(WAIT, row.created_at)
    spending.on(OTHER, row.created_at)
    if row.interrupted:
        spending.on(OTHER, step.ended_at)
    elif step.writes:
        spending.on(MODEL, step.ended_at)
    else:
        spending.on(MODEL, row.called_at)
        # Steps that are not on the page do not know their calls; those older than the time of
        # their calls know nothing else.
        whole = row.called_at is not None or step.stored
        waited = whole or row.status == StepStatus.COMPLETED
        spending.on(TOOLS if waited else MODEL, step.ended_at)


def doing(view: RunView) -> str:
    """As what the time after the last thing known counts."""
    last = view.steps[-1] if view.steps else None
    if view.run.started_at is None:
        return QUEUE
    if last is not None and last.ended_at is None:
        waits = last.stored or view.run.status == RunStatus.REQUIRES_ACTION
        return TOOLS if waits else MODEL
    asked = last is None or not last.writes  # the model has what it needs to go on
    by_status = {
        RunStatus.QUEUED: QUEUE,
        RunStatus.REQUIRES_ACTION: TOOLS,
        RunStatus.IN_PROGRESS: WAIT,
    }
    ended_early = view.run.status in (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.EXPIRED)
    return by_status.get(RunStatus(view.run.status), WAIT if asked and ended_early else OTHER)


def percents(amounts: Sequence[int]) -> list[int]:
    """Whole percents that add up to 100: what rounding leaves goes to the largest remainders.

    Of nothing at all, the first gets everything.
    """
    total = sum(amounts)
    if total == 0:
        return [100, *[0] * (len(amounts) - 1)]
    whole = [amount * 100 // total for amount in amounts]
    by_rest = sorted(range(len(amounts)), key=lambda i: -(amounts[i] * 100 % total))
    for index in by_rest[: 100 - sum(whole)]:
        whole[index] += 1
    return whole
