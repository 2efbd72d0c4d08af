"""One call on the desk: how it can be answered, and what was typed for it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.core.signing import BadSignature, Signer

from runs.console.arguments import Argument, described
from runs.console.earlier import Lessons
from runs.console.parts import ABSENT, Part, typed_in
from runs.console.schema_form import form_of
from runs.console.timeline import CallView
from runs.contract.limits import MESSAGE_TEXT
from runs.contract.problems import Problem, TooSlow, problems
from runs.contract.schemas import Schema, read_json, write_json
from runs.models import Run

SIGNER = Signer(salt="runs.console.answers")
FORM, JSON, TEXT = "form", "json", "text"
MODES = ((FORM, "Form"), (JSON, "JSON"), (TEXT, "Text"))
TOO_SLOW = "This could not be checked in time. If it is right, send it as text."


class Mistake(NamedTuple):
    """A line of the summary of what is wrong."""

    element: str  # id of the field
    label: str
    message: str


@dataclass
class Answer:
    """A call with what was typed for it. ``output`` is the text; a form stands beside it."""

    call: CallView
    index: int
    element: str  # begins the ids of its elements
    arguments: list[Argument] = field(default_factory=list)
    output: str = ""
    error: str = ""
    mode: str = TEXT
    schema: Schema | None = None
    form: Part | None = None
    learned: bool = False  # the schema was made from earlier outputs
    can_learn: bool = False
    can_repeat: bool = False  # a call with the same arguments was answered before

    @classmethod
    def of(cls, run: Run, call: CallView, index: int) -> "Answer":
        """An empty answer to a call."""
        told = described(run.tools, call.name, call.arguments)
        return cls(call, index, f"output-{run.id}-{index}", told)

    @property
    def field(self) -> str:
        """The name of the form field with its text."""
        return f"output-{self.index}"

    @property
    def modes(self) -> tuple[tuple[str, str], ...]:
        """The ways to answer, with a word for each."""
        return MODES

    @property
    def signed_schema(self) -> str:
        """The schema as it travels in the form: signed, so that it is one that was checked."""
        return SIGNER.sign(json.dumps(self.schema))

    def use(self, schema: Schema, learned: bool = False) -> None:
        """Answer by a form of this schema, which went through ``check_schema``."""
        self.schema, self.learned, self.mode = schema, learned, FORM
        self.form = form_of(schema, f"value-{self.index}", self.element)
        self.fill(self.output)

    def fill(self, output: str) -> None:
        """Put an output in, as text and into the form as far as that can show it."""
        self.output = output
        value = value_of(output)
        if self.form is not None and value is not ABSENT:
            self.form.show(value)

    def offer(self, lessons: Lessons) -> None:
        """Offer what earlier outputs of the function are good for."""
        self.can_repeat = lessons.last_output(self.call.arguments) is not None
        self.can_learn = self.schema is None and lessons.schema is not None

    @property
    def mistakes(self) -> Iterator[Mistake]:
        """What is wrong, field by field."""
        name = self.call.name
        for part in self.form.walk() if self.form else ():
            if part.error:
                yield Mistake(part.id, f"{name}: {part.label}", part.error)
        if self.error:
            yield Mistake(self.element, name, self.error)

    # --- what is sent ---

    def check(self, until: float) -> bool:
        """Settle what is sent as ``output``; False, with errors beside the fields, if nothing
        can be. ``until`` is when its schema must have been checked, by the monotonic clock."""
        if self.mode == FORM and self.form is not None:
            self.check_form(self.form, until)
        elif self.fits() and self.mode == JSON and self.schema is not None:
            self.check_json(until)
        return not any(self.mistakes)

    def fits(self) -> bool:
        """Whether the output is short enough to be stored; says so if it is not."""
        if len(self.output) > MESSAGE_TEXT:
            self.error = f"{len(self.output)} characters. An output has at most {MESSAGE_TEXT}."
        return not self.error

    def check_form(self, form: Part, until: float) -> None:
        """Make the output from the form."""
        value = form.value(value_of(self.output))
        if any(part.error for part in form.walk()):
            return
        if value is ABSENT:
            form.error = "This is required."
            return
        self.output = write_json(value)
        for problem in self.found(value, until) if self.fits() else ():
            part = nearest(form, problem)
            part.error = part.error or problem.message

    def check_json(self, until: float) -> None:
        """Look whether the text is JSON by the schema."""
        try:
            value = read_json(self.output)
        except ValueError as error:
            self.error = str(error)
            return
        told = []
        for problem in self.found(value, until):
            place = "/".join(str(step) for step in problem.path)
            told.append(f"{place}: {problem.message}" if place else problem.message)
        self.error = self.error or " ".join(told[:5])

    def found(self, value: Any, until: float) -> list[Problem]:
        """The problems of a value by the schema."""
        try:
            return problems(self.schema or {}, value, until)
        except TooSlow:
            self.error = TOO_SLOW
            return []


def posted(form: Mapping[str, str], run: Run, index: int, arguments: str) -> Answer:
    """The answer to one call as it was posted.

    The call and its schema travel in the form, so that what was typed can be shown again for a
    run that no longer waits for it, and read by the schema that it was typed for. ``arguments``
    do not: they may be larger than a form.
    """
    call = CallView(
        name=typed_in(form, f"name-{index}"),
        arguments=arguments,
        id=typed_in(form, f"call-{index}"),
    )
    answer = Answer.of(run, call, index)
    answer.output = typed_in(form, answer.field)
    schema = schema_of(typed_in(form, f"schema-{index}"))
    if schema is not None:
        answer.use(schema, f"learned-{index}" in form)
        mode = typed_in(form, f"mode-{index}")
        answer.mode = mode if mode in dict(MODES) else TEXT
        if answer.form is not None:
            answer.form.take(form)
    return answer


def schema_of(text: str) -> Schema | None:
    """The schema that a form holds, if it is one of ours."""
    try:
        schema: Schema = read_json(SIGNER.unsign(text))
    except BadSignature:
        return None
    return schema


def value_of(output: str) -> Any:
    """The JSON value of an output, or ABSENT."""
    try:
        return read_json(output)
    except ValueError:
        return ABSENT


def nearest(form: Part, problem: Problem) -> Part:
    """The field that a problem is shown beside: its own, or the one around it."""
    around = [part for part in form.walk() if part.path == problem.path[: len(part.path)]]
    return max(around, key=lambda part: len(part.path))
