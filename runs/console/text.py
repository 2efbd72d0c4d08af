"""Words and numbers for people: sizes, durations, JSON, ids, and characters that hide."""

import json
import re
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString

#: Control characters, those that turn or hide text around them, and those that show nothing
#: (fillers, tags, variation selectors beyond the usual): shown as escapes where a person
#: decides by what they read (tool names and arguments).
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)

#: Those of them that have no good use in what people write, as line ends, soft hyphens, joined
#: emoji and Persian have: shown wherever somebody reads.
MISUSED = re.compile(f"(?![\r\u00ad\u034f\u061c\u200b-\u200f]){HIDDEN.pattern}")

SHORT = 60  # characters of JSON that stay in one line

STATUS_WORDS = {
    "queued": "Queued",
    "in_progress": "Running",
    "requires_action": "Needs input",
    "cancelling": "Cancelling",
    "cancelled": "Cancelled",
    "completed": "Completed",
    "failed": "Failed",
    "incomplete": "Incomplete",
    "expired": "Expired",
}

#: Why a message ends early, by its incomplete_reason.
CUT = {
    "max_tokens": "the limit of tokens was reached",
    "content_filter": "the upstream's content filter stopped it",
    "run_cancelled": "the run was cancelled",
    "run_expired": "the run expired",
    "run_failed": "the run failed",
}

#: The entry of the main navigation of each page that has its own name; runs for all others.
NAVIGATION = {
    "overview": "overview",
    "inbox": "inbox",
    "settings": "settings",
    "threads": "threads",
    "thread": "threads",
    "add-message": "threads",
    "delete-thread": "threads",
    "assistants": "assistants",
    "new-assistant": "assistants",
    "assistant": "assistants",
    "assistant-versions": "assistants",
    "restore-assistant": "assistants",
    "delete-assistant": "assistants",
    "output-schemas": "assistants",
    "output-schema": "assistants",
    "usage": "usage",
    "prices": "usage",
    "price": "usage",
    "import-prices": "usage",
    "keys": "keys",
    "members": "members",
    "member": "members",
    "member-link": "members",
    "projects": "none",
    "password": "settings",
}


def visible(text: str) -> str:
    """``text`` with hidden characters as escapes such as ``\\u202e`` and ``\\U000e0041``."""
    return HIDDEN.sub(lambda found: escape_of(ord(found[0])), text)


def escape_of(code: int) -> str:
    """The escape of a character, as Python has it."""
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def pretty(text: str) -> str:
    """JSON with line breaks, or in one line if it is short; anything else as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(value, dict | list):
        return text
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= SHORT else json.dumps(value, indent=2, ensure_ascii=False)


def duration(seconds: float) -> str:
    """912 ms, 8.2 s, 3 m 04 s, 2 h 05 m."""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"


def count(number: int) -> str:
    """4 102, with thin spaces that do not break."""
    return f"{number:,}".replace(",", "\u202f")


def middle(object_id: str) -> str:
    """An id with its middle left out: ``run_9aZ…x1c``."""
    prefix, _, rest = object_id.rpartition("_")
    if len(rest) <= 9:
        return object_id
    return f"{prefix}_{rest[:4]}…{rest[-4:]}" if prefix else f"{rest[:4]}…{rest[-4:]}"


def plain_text(content: list[dict[str, Any]]) -> str:
    """The text of a message's parts, in order."""
    return "\n\n".join(part_text(part) for part in content)


def part_text(part: dict[str, Any]) -> str:
    """What one part of a message says."""
    if part.get("type") == "text":
        return str(part["text"]["value"])
    if part.get("type") == "refusal":
        return str(part["refusal"])
    return json.dumps(part, ensure_ascii=False)


def prose(text: str) -> str:
    """``text`` with hidden characters as escapes, but for those that people write on purpose."""
    return MISUSED.sub(lambda found: escape_of(ord(found[0])), text)


def verbatim(text: str) -> SafeString:
    """``text`` as HTML whose text content is exactly it: a parser would turn CR into LF. What
    would turn or hide text stands apart, where it turns nothing, behind a visible escape."""
    html = MISUSED.sub(
        lambda found: f'<bdi data-as="{escape_of(ord(found[0]))}">{found[0]}</bdi>', escape(text)
    )
    return SafeString(html.replace("\r", "&#13;"))
