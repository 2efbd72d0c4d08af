"""Large texts on a page: cut with an honest count, and without the data that nobody reads."""

import re
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs.console.text import pretty, verbatim

SHOWN = 64 * 1024  # characters of a text that a page shows at first

#: Data URLs over a KiB: images and files that models and tools pass as text.
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,([A-Za-z0-9+/_=-]{1024,})")


@dataclass(frozen=True, slots=True)
class Payload:
    """The part of a text that is shown; ``total`` is the size of all of it in bytes."""

    text: str
    total: int
    is_cut: bool

    @property
    def shown(self) -> int:
        """The size of that part in bytes."""
        return len(self.text.encode())


def payload_of(text: str) -> Payload:
    """``text`` as far as a page shows it. JSON that is shown whole gets line breaks."""
    total = len(text.encode())
    if len(text) > SHOWN:
        return Payload(text[:SHOWN], total, is_cut=True)
    return Payload(pretty(text), total, is_cut=False)


def is_heavy(text: str) -> bool:
    """Whether a text is too long to be shown as markdown, or holds data that nobody reads."""
    return len(text) > SHOWN or DATA_URL.search(text) is not None


def size(number: int) -> str:
    """912 B, 64 KiB, 1.4 MiB."""
    if number < 1024:
        return f"{number} B"
    unit, amount = ("KiB", number / 1024) if number < 1023.5 * 1024 else ("MiB", number / 1024**2)
    return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"


def chips(text: str) -> SafeString:
    """``text`` as HTML, verbatim but for long data URLs: those are named by type and size."""
    pieces, at = [], 0
    for found in DATA_URL.finditer(text):
        pieces.append(verbatim(text[at : found.start()]))
        kind, data = found[1] or "text/plain", len(found[2]) * 3 // 4
        pieces.append(format_html('<span class="chip">{} · {}</span>', kind, size(data)))
        at = found.end()
    pieces.append(verbatim(text[at:]))
    return format_html_join("", "{}", ((piece,) for piece in pieces))
