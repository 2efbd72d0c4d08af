"""A run as its page shows it: rows gathered, and the text of what is still being written."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from runs.console.provenance import Provenance
from runs.contract.events import MESSAGE_DELTA, STEP_DELTA
from runs.contract.roles import NEEDS, Role
from runs.contract.status import ACTIVE, TERMINAL, MessageStatus, RunStatus, StepStatus
from runs.events import log
from runs.events.log import Event
from runs.models import Assistant, Message, Project, Run, RunStep, ToolCall
from runs.wire.objects import Wire


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


@dataclass
class StepView:
    """A step with what it made. ``text`` and ``calls`` hold what the log has so far."""

    row: RunStep
    message: Message | None = None
    text: str = ""
    calls: list[CallView] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        """Whether this step makes a message."""
        return self.row.type == "message_creation"

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
    def status(self) -> str:
        """The step's status, but in the words of its run where it waits for a person."""
        waits = not self.writes and self.row.status == StepStatus.IN_PROGRESS and self.stored
        return RunStatus.REQUIRES_ACTION if waits else self.row.status

    @property
    def stored(self) -> bool:
        """Whether the calls are complete: the model has finished writing them."""
        return bool(self.calls) and all(call.id for call in self.calls)


@dataclass
class RunView:
    """A run as somebody of a role sees it: its steps in order, and what explains it."""

    run: Run
    role: Role
    steps: list[StepView]
    warnings: list[str]

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


def steps_of(project: Project, run: Run, upto: int, live: Sequence[Event] = ()) -> list[StepView]:
    """The steps of ``run``, oldest first.

    Rows may be newer than event number ``upto``: that is harmless, since whoever reads on
    from there sees them brought up to date again. Text still being written is taken from
    the log exactly up to it, so that the deltas that follow continue it. ``live`` are events
    up to there that the log may not have yet.
    """
    rows = RunStep.objects.for_project(project).filter(run_id=run.id)
    views = [StepView(row) for row in rows.order_by("number").prefetch_related("tool_calls")]
    messages = {
        message.id: message
        for message in Message.objects.for_project(project).filter(run_id=run.id)
    }
    for view in views:
        view.message = messages.get(view.row.message_id or "")
        view.calls = [
            CallView.of(call) for call in sorted(view.row.tool_calls.all(), key=lambda c: c.index)
        ]
    unfinished = {key: view for view in views for key in open_ids(view)}
    if unfinished:
        fill(unfinished, so_far(run.id, upto, live))
    return views


def open_ids(view: StepView) -> Iterator[str]:
    """The id under which the log has what this step is still writing, if it is."""
    if view.message is not None and view.message.status == MessageStatus.IN_PROGRESS:
        yield view.message.id
    if not view.writes and not view.calls and view.row.status == StepStatus.IN_PROGRESS:
        yield view.row.id


def so_far(run_id: str, upto: int, live: Sequence[Event]) -> Iterator[Event]:
    """The deltas of a run up to and including number ``upto``: those of the log, then those
    of ``live`` that are newer."""
    after = 0
    for event in itertools.chain(logged(run_id), live):
        if after < event.number <= upto:
            after = event.number
            if event.name in (MESSAGE_DELTA, STEP_DELTA):
                yield event


def logged(run_id: str) -> Iterator[Event]:
    """All events of a run's log."""
    after, more = 0, True
    while more and (page := log.read_after(run_id, after)):
        yield from page.events
        after, more = (page.events[-1].number if page.events else after), page.more


def fill(unfinished: Mapping[str, StepView], deltas: Iterable[Event]) -> None:
    """Add to each unfinished step what the log has of it."""
    for delta in deltas:
        wire = json.loads(delta.data)
        view = unfinished.get(wire["id"])
        if view is None:
            continue
        if delta.name == MESSAGE_DELTA:
            view.text += message_text(wire)
        else:
            for piece in wire["delta"]["step_details"]["tool_calls"]:
                add_call_piece(view.calls, piece)


def message_text(wire: Wire) -> str:
    """The characters a message delta adds."""
    return "".join(
        part["text"].get("value", "") if part["type"] == "text" else part.get("refusal", "")
        for part in wire["delta"]["content"]
    )


def add_call_piece(calls: list[CallView], piece: Wire) -> None:
    """Add a delta of a tool call to the calls so far."""
    while len(calls) <= piece["index"]:
        calls.append(CallView())
    call, function = calls[piece["index"]], piece["function"]
    call.name = call.name or function.get("name", "")
    call.arguments += function.get("arguments", "")
