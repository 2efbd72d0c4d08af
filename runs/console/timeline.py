"""A run as its page shows it: what templates ask of it and of its steps."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.urls import reverse

from runs.console.costs import PriceList
from runs.console.payload import is_heavy
from runs.console.provenance import Provenance
from runs.console.run_query import Paging, RunQuery
from runs.console.text import plain_text, visible
from runs.contract.roles import NEEDS, Role
from runs.contract.status import ACTIVE, TERMINAL, RunStatus, StepStatus
from runs.models import Assistant, Message, Run, RunStep, ToolCall

SHORT = 40  # characters of an argument that a list shows
SCANNED = 500  # characters in which that argument is looked for
NAMED = 3  # calls that a list names of one step

#: The first argument that is no list or object, of arguments that may be cut.
SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*("(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|true|false)')

RERUNS = 20  # shown of a run


@dataclass
class CallView:
    """A tool call; while the model writes it there is no row and no output."""

    name: str = ""
    arguments: str = ""
    id: str = ""
    output: str | None = None
    submitted_at: datetime | None = None

    @classmethod
    def of(cls, call: ToolCall) -> "CallView":
        """The view of a stored call."""
        return cls(call.name, call.arguments, call.id, call.output, call.submitted_at)

    @property
    def argument(self) -> str:
        """The first argument that fits into a line, as JSON."""
        found = SCALAR.search(self.arguments[:SCANNED])
        value = visible(found[1].replace("\n", " ")) if found else ""
        return value if len(value) <= SHORT else f"{value[:SHORT]}…"


@dataclass
class StepView:
    """A step with what it made. ``text`` and ``calls`` hold what the log has so far."""

    row: RunStep
    place: int = 0  # in its run, from 1
    message: Message | None = None
    text: str = ""
    calls: list[CallView] = field(default_factory=list)
    #: Whether the page shows what it holds, and not its line alone.
    has_body: bool = True

    @property
    def named(self) -> list[CallView]:
        """The calls that its line names."""
        return self.calls[:NAMED]

    @property
    def unnamed(self) -> int:
        """How many more it has."""
        return len(self.calls) - len(self.named)

    @property
    def broke(self) -> bool:
        """Whether the step did not end well, and nobody asked it to end."""
        return self.row.status in (StepStatus.FAILED, StepStatus.EXPIRED)

    @property
    def writes(self) -> bool:
        """Whether this step makes a message."""
        return self.row.type == "message_creation"

    @cached_property
    def written(self) -> str:
        """The text of its message."""
        return plain_text(self.message.content) if self.message else ""

    @property
    def is_heavy(self) -> bool:
        """Whether that text is shown cut, or with its data named."""
        return is_heavy(self.written)

    @property
    def ended_at(self) -> datetime | None:
        """When the step ended."""
        row = self.row
        return row.completed_at or row.failed_at or row.cancelled_at or row.expired_at

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended_at - self.row.created_at).total_seconds() if self.ended_at else None

    @property
    def waited(self) -> float | None:
        """How many seconds its calls waited for their outputs; None without them."""
        called, answered = self.row.called_at, self.row.completed_at
        return (answered - called).total_seconds() if called and answered else None

    @property
    def status(self) -> str:
        """The step's status, but in the words of its run where it waits for a person."""
        waits = not self.writes and self.row.status == StepStatus.IN_PROGRESS and self.stored
        return RunStatus.REQUIRES_ACTION if waits else self.row.status

    @property
    def stored(self) -> bool:
        """Whether the calls are complete: the model has finished writing them."""
        return bool(self.calls) and all(call.id for call in self.calls)


def slowest_of(steps: Iterable[StepView]) -> StepView | None:
    """The step whose calls waited longest for their outputs."""
    return max((step for step in steps if step.waited), key=lambda s: s.waited or 0, default=None)


@dataclass
class RunView:
    """A run as somebody of a role sees it: its steps in order, and what explains it."""

    run: Run
    role: Role
    steps: list[StepView]
    warnings: list[str]
    query: RunQuery = field(default_factory=RunQuery)
    paging: Paging = field(default_factory=Paging)
    #: The steps on the page.
    shown: list[StepView] = field(default_factory=list)

    @cached_property
    def slowest(self) -> StepView | None:
        """The step whose calls waited longest for their outputs."""
        return slowest_of(self.steps)

    @cached_property
    def address(self) -> str:
        """The address of its page."""
        return reverse("console:run", args=[self.run.thread_id, self.run.id])

    @property
    def whole(self) -> bool:
        """Whether the list goes on to the last step: only then can new ones be put at its end."""
        return self.paging.last and not self.query.errors

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.run.status in TERMINAL

    @property
    def ended_at(self) -> datetime | None:
        """When the run ended."""
        run = self.run
        return run.completed_at or run.failed_at or run.cancelled_at or run.expired_at

    @property
    def seconds(self) -> float | None:
        """From creation to end."""
        return (self.ended_at - self.run.created_at).total_seconds() if self.ended_at else None

    @property
    def pending(self) -> list[CallView]:
        """The calls the run waits for."""
        if self.run.status != RunStatus.REQUIRES_ACTION:
            return []
        return [call for step in self.steps for call in step.calls if call.output is None]

    @property
    def can_be_cancelled(self) -> bool:
        """Whether cancelling would change anything, and is theirs to do."""
        useful = not self.over and self.run.status != RunStatus.CANCELLING
        return useful and self.role.covers(NEEDS["cancel"].post)

    @cached_property
    def assistant(self) -> Assistant | None:
        """The assistant, unless it was deleted."""
        rows = Assistant.objects.for_project(self.run.project)
        return rows.filter(id=self.run.assistant_id).first()

    @cached_property
    def provenance(self) -> Provenance:
        """Its settings, and where each comes from."""
        return Provenance(self.run, self.assistant)

    @cached_property
    def reruns(self) -> list[Run]:
        """The newest runs that repeat this one's input."""
        rows = Run.objects.for_project(self.run.project).filter(rerun_of=self.run.id)
        return list(rows.order_by("-number")[:RERUNS])

    @cached_property
    def original(self) -> Run | None:
        """The run whose input this one repeats, unless it was deleted."""
        rows = Run.objects.for_project(self.run.project)
        return rows.filter(id=self.run.rerun_of).first() if self.run.rerun_of else None

    @cached_property
    def cost(self) -> str:
        """What it has cost, in words; empty without a price."""
        return PriceList.of(self.run.project).cost_of(self.run) if self.run.usage else ""

    @cached_property
    def ahead(self) -> Run | None:
        """The run that this one waits behind, if it stands in line."""
        if not self.run.in_line:
            return None
        rows = Run.objects.for_project(self.run.project).filter(thread_id=self.run.thread_id)
        older = rows.filter(status__in=sorted(ACTIVE), number__lt=self.run.number)
        return older.order_by("-number").first()

    @cached_property
    def prompt(self) -> Message | None:
        """The last message a person wrote before the run began; of a run in line, one that
        will be in the thread by then."""
        run = self.run
        own = [columns for columns in run.line_messages or () if columns["role"] == "user"]
        if own:
            return Message(thread_id=run.thread_id, created_at=run.created_at, **own[-1])
        rows = Message.objects.for_project(run.project).filter(thread_id=run.thread_id)
        before = rows.filter(role="user", created_at__lte=run.started_at or run.created_at)
        return before.order_by("-number").first()
