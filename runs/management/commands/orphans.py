"""``manage.py orphans``: what should not be there, or has no use any more."""

from dataclasses import asdict
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
            repairing = doing and found.repairable
            repaired = leftovers.repair(found.name) if repairing else 0
            wire.append({**asdict(found), "repaired": repaired})
            put_right = f", {leftovers.in_words(found.name, repaired)}" if repairing else ""
            marked = " (a defect: please report it)" if found.alarm else ""
            lines.append(f"{found.count} {found.says}{put_right}{marked}")
        words = "\n".join(lines)
        say(self, {"dry_run": not doing, "kinds": wire}, words, as_json=options["json"])
