"""What the commands that clean up have in common."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs import operations
from runs.contract.errors import ApiError
from runs.models import Cleanup, Project

#: What is done, and what would be, by the verb of a cleanup.
DONE = {"erase": ("Erased", "Would erase"), "compact": ("Compacted", "Would compact")}


def add_output_arguments(parser: CommandParser) -> None:
    """What all of these commands take."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--json", action="store_true", help="say it as JSON")


def project_named(name: str | None) -> Project | None:
    """The project of that name; None if no name is given."""
    if name is None:
        return None
    found = Project.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no project named '{name}'.")
    return found


def carry_out(command: BaseCommand, cleanup: Cleanup) -> Cleanup:
    """Begin a cleanup, and work it off in this process."""
    command.stderr.write(f"If this is interrupted: manage.py erase --resume {cleanup.id}")
    try:
        operations.begin_cleanup(cleanup)
        return operations.work_on_cleanup(cleanup)
    except ApiError as error:
        raise CommandError(error.message) from None


def told(cleanup: Cleanup, *, dry_run: bool) -> dict[str, Any]:
    """What a cleanup did or would do, as plain data."""
    return {
        "verb": str(cleanup.verb),
        "dry_run": dry_run,
        "cleanup": None if dry_run else cleanup.id,
        "standing": cleanup.standing,
        "rows": cleanup.counts if dry_run else cleanup.done,
        "kept": cleanup.busy if dry_run else cleanup.kept,
    }


def in_words(wire: dict[str, Any]) -> str:
    """The same as a sentence."""
    rows = ", ".join(f"{count} {name}" for name, count in wire["rows"].items()) or "nothing"
    kept = f" Kept {wire['kept']} with an active run." if wire["kept"] else ""
    torn = "" if wire["dry_run"] or wire["standing"] == "done" else f" Now {wire['standing']}."
    return f"{DONE[wire['verb']][wire['dry_run']]} {rows}.{kept}{torn}"


def say(command: BaseCommand, wire: Any, words: str, *, as_json: bool) -> None:
    """Print it in the form asked for."""
    command.stdout.write(json.dumps(wire, default=str) if as_json else words)
