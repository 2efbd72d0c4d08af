"""``manage.py orphans``: what should not be there, or has no use any more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runs.management.cleaning import add_output_arguments, say
from runs.management.schema import check_schema
from runs.operations import leftovers


class Command(BaseCommand):
    """Count the leftovers of each kind; with ``--repair`` put right what can be."""

    help = "Look for rows that have no use, or that should not be there."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to look only."""
        parser.add_argument("--repair", action="store_true", help="put right what can be")
        add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each kind."""
        check_schema()
        doing = options["repair"] and not options["dry_run"]
        wire, lines = [], []
        for found in leftovers.find():
            kind = found.kind
            repaired = kind.repair() if doing and kind.repair and found.count else 0
            alarm = kind.alarm and found.count > 0
            wire.append(
                {"kind": kind.name, "rows": found.count, "repaired": repaired, "alarm": alarm}
            )
            put_right = f", {repaired} put right" if repaired else ""
            marked = " (a defect: please report it)" if alarm else ""
            lines.append(f"{found.count} {kind.says}{put_right}{marked}")
        words = "\n".join(lines)
        say(self, {"dry_run": not doing, "kinds": wire}, words, as_json=options["json"])
