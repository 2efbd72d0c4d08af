"""The keys of the console: what the help shows. Elements say theirs in ``data-key``; the script
static/console/keys.js presses whichever is on the page."""

from typing import NamedTuple


class Shortcut(NamedTuple):
    """A key, or several to be pressed one after the other, and what it does."""

    keys: str
    does: str


GROUPS: tuple[tuple[str, tuple[Shortcut, ...]], ...] = (
    (
        "Everywhere",
        (
            Shortcut("?", "Show these keys"),
            Shortcut("/", "Search, or paste an id"),
            Shortcut("Ctrl+K", "Type where to go or what to do"),
            Shortcut("Esc", "Leave a field, close, or go back to the list"),
            Shortcut("Ctrl+Enter", "Send the form"),
            Shortcut("c", "New run"),
            Shortcut("g o", "Overview"),
            Shortcut("g i", "Inbox"),
            Shortcut("g r", "Runs"),
            Shortcut("g t", "Threads"),
            Shortcut("g a", "Assistants"),
            Shortcut("g u", "Usage"),
            Shortcut("g k", "Keys"),
            Shortcut("g s", "Settings"),
        ),
    ),
    (
        "In a list",
        (
            Shortcut("j or ↓", "Next row"),
            Shortcut("k or ↑", "Row before"),
            Shortcut("Enter", "Open"),
            Shortcut("x", "Select the row"),
        ),
    ),
    (
        "On a run's page",
        (
            Shortcut("1 2 3 4", "Timeline, compact, events, JSON"),
            Shortcut("[", "Run before, in the list it was opened from"),
            Shortcut("]", "Next run"),
            Shortcut("r", "Run again"),
            Shortcut("e", "Run again with edits"),
            Shortcut("Shift+X", "Cancel the run"),
            Shortcut("f", "Find in the run"),
            Shortcut("n", "Next match"),
            Shortcut("Shift+N", "Match before"),
            Shortcut("Shift+E", "Next error"),
            Shortcut(".", "Follow the end"),
            Shortcut("p", "Pause or go on"),
            Shortcut("y", "Copy the id"),
            Shortcut("Shift+Y", "Copy the link"),
            Shortcut("+ - 0", "Zoom in, out, and back"),
        ),
    ),
)
