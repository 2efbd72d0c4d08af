"""The fields of a form that is made from a schema, and the value that was typed into them.

Field names hold the place of their value: ``value-0/wind/speed``, in the manner of a JSON pointer.
A value that was shown and left alone comes back exactly, even one that its field cannot show:
``base`` is the value that the form was filled with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runs.console.text import visible
from runs.contract.problems import FORMATS, Path
from runs.contract.schemas import Schema, read_json, write_json

ABSENT = object()  # no value, which null is not
LONG = 80  # characters of an example


@dataclass
class Part:
    """A field, or a group of them."""

    name: str  # of the form field
    schema: Schema
    kind: str  # group, choice, text, number, list or json
    path: Path = ()
    required: bool = True
    nullable: bool = False
    items: str = ""  # the kind of a list's items
    note: str = ""  # why it is JSON
    choices: list[tuple[str, str]] = field(default_factory=list)  # JSON, and words
    parts: list["Part"] = field(default_factory=list)
    id: str = ""
    # What is in it
    typed: str = ""
    null: bool = False
    error: str = ""

    @property
    def label(self) -> str:
        """What the field is called."""
        own = str(self.path[-1]) if self.path else "Output"
        return visible(str(self.schema.get("title") or own))

    @property
    def help(self) -> str:
        """What the schema says about it."""
        wanted = FORMATS.get(str(self.schema.get("format")), "")
        told = str(self.schema.get("description") or "")
        return visible(" · ".join(words for words in (told, wanted) if words))

    @property
    def example(self) -> str:
        """Something that could be typed, if the schema has it."""
        for value in self.schema.get("examples") or ():
            typed, _ = shown(self, value)
            if typed:
                return visible(typed)[:LONG]
        return ""

    @property
    def rows(self) -> int:
        """Lines of its text area."""
        return min(max(self.typed.count("\n") + 1, 3 if self.kind in ("list", "json") else 1), 12)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not any(part.typed or part.null for part in self.walk())

    def walk(self) -> Iterator["Part"]:
        """Itself and all within it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def show(self, value: Any) -> None:
        """Put a value into the fields."""
        self.typed, self.null = shown(self, value)
        for part in self.parts:
            part.show(member(value, part.path[-1]))

    def take(self, form: Mapping[str, str]) -> None:
        """Put into the fields what was posted."""
        for part in self.walk():
            part.typed = typed_in(form, part.name)
            part.null = f"{part.name}~null" in form

    def value(self, base: Any = ABSENT) -> Any:
        """The value in the fields, or ABSENT. What is no value leaves an error beside it."""
        if (
            base is not ABSENT
            and self.kind != "group"
            and shown(self, base) == (self.typed, self.null)
        ):
            return base
        if self.null and self.nullable:
            return None
        if self.kind == "group":
            return self.group_value(base)
        try:
            return parse(self, self.typed)
        except ValueError as error:
            self.error = str(error)
            return ABSENT

    def group_value(self, base: Any) -> Any:
        """An object: the base's with the fields' values in their places."""
        if base is None and self.nullable:  # it no longer says null
            base = ABSENT
        if self.empty and not isinstance(base, dict) and not (base is ABSENT and self.required):
            return base
        made = dict(base) if isinstance(base, dict) else {}
        for part in self.parts:
            name = str(part.path[-1])
            if part.empty and isinstance(base, dict) and name not in base:
                continue  # left alone
            value = part.value(member(base, name))
            if value is ABSENT:
                made.pop(name, None)
            else:
                made[name] = value
        return made


def shown(part: Part, value: Any) -> tuple[str, bool]:
    """What a field shows of a value, and whether it says null; ("", False) of no value, and
    of one that it cannot show."""
    if value is None and part.nullable:
        return "", True
    text = ""
    if value is ABSENT or part.kind == "group":
        pass
    elif part.kind == "json":
        text = write_json(value)
    elif part.kind == "choice":
        written = write_json(value)
        text = written if any(written == choice for choice, _ in part.choices) else ""
    elif part.kind == "list":
        text = lines(part, value)
    elif fits(part.kind, value):
        text = value if part.kind == "text" else write_json(value)
    return text, False


def lines(part: Part, value: Any) -> str:
    """A list as one item per line."""
    if not isinstance(value, list) or not all(fits(part.items, item) for item in value):
        return ""
    typed = [item if part.items == "text" else write_json(item) for item in value]
    return "" if any("\n" in item for item in typed) else "\n".join(typed)


def fits(kind: str, value: Any) -> bool:
    """Whether a value can stand in a field for texts or numbers."""
    if kind == "text":
        return isinstance(value, str) and not {"\r", "\0"} & set(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse(part: Part, typed: str) -> Any:
    """The value that was typed into a field, or ABSENT.

    Raises:
        ValueError: it is none; the message says what it must be.
    """
    if part.kind == "list":
        if not typed:
            return [] if part.required else ABSENT
        return [line if part.items == "text" else number(line) for line in typed.split("\n")]
    if not typed:
        return ABSENT
    if part.kind == "text":
        return typed
    if part.kind == "number":
        return number(typed)
    value = read_json(typed)
    if part.kind == "choice" and all(typed != choice for choice, _ in part.choices):
        raise ValueError("This must be one of the choices.")
    return value


def number(typed: str) -> int | float:
    """The number that was typed."""
    try:
        value = read_json(typed)
    except ValueError:
        value = None
    if not fits("number", value):
        raise ValueError("This must be a number such as 21.5.")
    found: int | float = value
    return found


def member(value: Any, name: str | int) -> Any:
    """What an object holds under a name, or ABSENT."""
    return value.get(name, ABSENT) if isinstance(value, dict) else ABSENT


def typed_in(form: Mapping[str, str], name: str) -> str:
    """What was typed into a field. Browsers send line breaks as CR LF; PostgreSQL stores no NUL."""
    return form.get(name, "").replace("\r\n", "\n").replace("\0", "\ufffd")
