"""The desk: where a person answers all calls that a run waits for, at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runs.console.timeline import CallView, RunView
from runs.contract.limits import MESSAGE_TEXT
from runs.contract.roles import NEEDS
from runs.contract.status import RunStatus
from runs.models import Run


@dataclass
class Answer:
    """A call with what was typed for it."""

    call: CallView
    field: str  # the name of its form field
    output: str = ""
    error: str = ""


@dataclass
class Desk:
    """The form. Without calls it is closed and shows nothing."""

    run: Run
    answers: list[Answer] = field(default_factory=list)
    problem: str = ""
    note: str = ""
    may_answer: bool = True

    @classmethod
    def of(cls, view: RunView) -> "Desk":
        """The desk of a run as it is now; closed for who may not answer."""
        if not view.role.covers(NEEDS["outputs"].post):
            return cls(view.run, may_answer=False)
        return cls(
            view.run,
            [Answer(call, f"output-{index}") for index, call in enumerate(view.pending)],
        )

    @property
    def calls(self) -> list[CallView]:
        """The calls to be answered."""
        return [answer.call for answer in self.answers]

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


def key_of(call_ids: list[str]) -> str:
    """A short name for a set of calls; empty for none. Call ids may hold any character."""
    joined = "\n".join(sorted(call_ids))
    return hashlib.sha256(joined.encode()).hexdigest()[:16] if call_ids else ""


def read(form: Mapping[str, str]) -> tuple[list[Answer], bool]:
    """The answers of a posted form, in order, and whether all are there and not too long.

    Call ids and names travel in the form, so that what was typed can be shown again for a
    run that no longer waits for it.
    """

    def typed(name: str) -> str:
        # Browsers send line breaks as CR LF; PostgreSQL stores no NUL.
        return form.get(name, "").replace("\r\n", "\n").replace("\0", "\ufffd")

    answers = []
    for index in range(sum(name.startswith("call-") for name in form)):
        call = CallView(
            name=typed(f"name-{index}"),
            arguments=typed(f"arguments-{index}"),
            id=typed(f"call-{index}"),
        )
        output = typed(f"output-{index}")
        answer = Answer(call, f"output-{index}", output)
        if len(output) > MESSAGE_TEXT:
            answer.error = f"{len(output)} characters. An output has at most {MESSAGE_TEXT}."
        answers.append(answer)
    return answers, not any(answer.error for answer in answers)
