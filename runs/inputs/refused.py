"""What no field accepts: a refusal that finds out its own place in the body.

A field does not know where in the body it stands: it raises :class:`Refused`, and each
container on the way out adds its own key, until the path names the place:
``tools[0].function.name``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runs.contract.errors import BadRequest

#: How error texts call a JSON type.
KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

SHOWN = 200  # characters of a value or a path that an error repeats


def shown(text: str) -> str:
    """What an error repeats of a text, which may be as long as a whole body."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class Refused(Exception):
    """A value that breaks a rule. ``{param}`` in the text stands for the path to it."""

    def __init__(self, code: str | None, text: str, **values: object):
        super().__init__(text)
        self.code = code
        self.text = text
        self.values = values
        self.path = ""

    def add(self, key: str | int) -> None:
        """Grow the path by the container's key."""
        here = f"[{key}]" if isinstance(key, int) else key
        dot = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{here}{dot}{self.path}"

    def error(self) -> BadRequest:
        """The answer to the caller."""
        param = shown(self.path)
        message = self.text.format(param=param, **self.values)
        return BadRequest(message, code=self.code, param=param)


@contextmanager
def inside(key: str | int) -> Iterator[None]:
    """Name the place of what is refused in the block."""
    try:
        yield
    except Refused as refused:
        refused.add(key)
        raise


def expect(value: object, kinds: Sequence[type], words: str = "") -> None:
    """Refuse a value of another JSON type. ``True`` is no integer here."""
    if type(value) not in kinds:
        raise Refused(
            "invalid_type",
            "Invalid type for '{param}': expected {words}, but got {got} instead.",
            words=words or KINDS[kinds[0]],
            got=KINDS.get(type(value), "something else"),
        )
