"""The desk: where a person answers all calls that a run waits for, at once."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from runs.console.answers import Answer, Mistake, posted
from runs.console.earlier import Lessons, lessons
from runs.console.parts import typed_in
from runs.console.timeline import CallView, RunView
from runs.contract.limits import CALLS
from runs.contract.roles import NEEDS, Role
from runs.contract.schemas import Schema
from runs.contract.status import RunStatus, StepStatus
from runs.models import OutputSchema, Project, Run, ToolCall

MOST_FIELDS = 240  # of a desk: Django reads a thousand, and each call has some of its own
DESK_SECONDS = 10.0  # to check all answers of a desk


@dataclass
class Desk:
    """The form. Without calls it is closed and shows nothing."""

    run: Run
    answers: list[Answer] = field(default_factory=list)
    problem: str = ""
    note: str = ""
    may_answer: bool = True
    typed: bool = False  # holds what somebody has typed
    is_cut: bool = False  # more calls were posted than a turn can have

    @classmethod
    def of(cls, view: RunView) -> "Desk":
        """The desk of a run as it is now; closed for who may not answer."""
        desk = cls(view.run, may_answer=view.role.covers(NEEDS["outputs"].post))
        if desk.may_answer and view.pending:
            desk.lay_out(view.pending)
            equip(view.run.project, [desk])
        return desk

    def lay_out(self, calls: Sequence[CallView]) -> None:
        """Put calls on the desk."""
        self.answers = [Answer.of(self.run, call, index) for index, call in enumerate(calls)]

    @property
    def calls(self) -> list[CallView]:
        """The calls to be answered."""
        return [answer.call for answer in self.answers]

    @property
    def id(self) -> str:
        """The id of its element."""
        return f"desk-{self.run.id}"

    @property
    def key(self) -> str:
        """Tells the desks of different waits apart."""
        return key_of([call.id for call in self.calls])

    @property
    def waits(self) -> bool:
        """Whether the run still takes these outputs."""
        return self.run.status == RunStatus.REQUIRES_ACTION

    @property
    def until(self) -> datetime:
        """When the run expires."""
        return self.run.expires_at

    def check(self) -> bool:
        """Settle what is sent for each call; False, with errors beside the fields, if something
        cannot be. What has not been checked by then, a few seconds from now, cannot."""
        until = time.monotonic() + DESK_SECONDS
        refused = [answer for answer in self.answers if not answer.check(until)]
        return not refused

    def is_wanted(self) -> bool:
        """Whether its calls are those that the run waits for, or that it was answered last."""
        ids = sorted(call.id for call in self.calls)
        if self.is_cut:
            return False
        if self.run.submission and sorted(self.run.submission["outputs"]) == ids:
            return True
        calls = ToolCall.objects.for_project(self.run.project).filter(run_id=self.run.id)
        pending = calls.filter(step__status=StepStatus.IN_PROGRESS).values_list("id", flat=True)
        return self.waits and sorted(pending) == ids

    @property
    def mistakes(self) -> list[Mistake]:
        """All that is wrong with what was typed."""
        return [mistake for answer in self.answers for mistake in answer.mistakes]


def desks_of(project: Project, runs: Sequence[Run], role: Role) -> list[Desk]:
    """The desks of several runs of a project that wait for outputs, in their order.

    Asks the database as often for many runs as for one; only the functions count, whose earlier
    outputs are looked up.
    """
    desks = [Desk(run, may_answer=role.covers(NEEDS["outputs"].post)) for run in runs]
    waiting = defaultdict(list)
    rows = ToolCall.objects.for_project(project).filter(output=None)
    for call in rows.filter(run_id__in=[run.id for run in runs]).order_by("step", "index"):
        waiting[call.run_id].append(CallView.of(call))
    for desk in desks:
        if desk.may_answer and desk.waits:
            desk.lay_out(waiting[desk.run.id])
    equip(project, desks)
    return desks


def equip(project: Project, desks: Sequence[Desk]) -> None:
    """Give the answers on desks the forms that they can have, and offer those they could."""
    names = {call.name for desk in desks for call in desk.calls}
    if not names:
        return
    schemas = schemas_of(project, names, {desk.run.assistant_id for desk in desks})
    learned = lessons(project, names)
    for desk in desks:
        fields = 0
        for answer in desk.answers:
            name = answer.call.name
            own = schemas.get((desk.run.assistant_id, name)) or schemas.get((None, name))
            if own is not None and not desk.typed and fields < MOST_FIELDS:
                answer.use(own)
            fields += sum(1 for _ in answer.form.walk()) if answer.form else 0
            answer.offer(learned.get(name, Lessons()))


def schemas_of(
    project: Project, names: set[str], assistants: set[str]
) -> dict[tuple[str | None, str], Schema]:
    """The schemas of functions, by assistant (None: any) and name."""
    rows = OutputSchema.objects.for_project(project).filter(function__in=names)
    rows = rows.filter(Q(assistant=None) | Q(assistant__in=assistants))
    return {(row.assistant_id, row.function): row.schema for row in rows}


def key_of(call_ids: list[str]) -> str:
    """A short name for a set of calls; empty for none. Call ids may hold any character."""
    joined = "\n".join(sorted(call_ids))
    return hashlib.sha256(joined.encode()).hexdigest()[:16] if call_ids else ""


def read(form: Mapping[str, str], run: Run) -> Desk:
    """The desk as it was posted, with the arguments that its calls have in the database."""
    count = sum(name.startswith("call-") for name in form)
    indexes = range(min(count, CALLS))
    ids = [typed_in(form, f"call-{index}") for index in indexes]
    rows = ToolCall.objects.for_project(run.project).filter(run_id=run.id, id__in=ids)
    arguments = dict(rows.values_list("id", "arguments"))
    answers = [posted(form, run, index, arguments.get(ids[index], "")) for index in indexes]
    return Desk(run, answers, typed=True, is_cut=count > CALLS)
