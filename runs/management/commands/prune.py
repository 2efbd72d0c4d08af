"""``manage.py prune``: delete what has no use any more, and by age what is asked for."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs import operations
from runs.contract.cleanup import Verb
from runs.management.cleaning import (
    add_output_arguments,
    carry_out,
    in_words,
    project_named,
    say,
    told,
)
from runs.management.schema import check_schema
from runs.models.database import now
from runs.operations import leftovers

#: What always goes, and how it is called in a sentence.
EXPIRED = {"links": "login links", "sessions": "sessions", "answers": "kept answers"}
WAYS = (("threads", Verb.ERASE), ("logs", Verb.COMPACT))


class Command(BaseCommand):
    """Delete expired login links, sessions and kept answers; with ``--threads`` and ``--logs``
    more, by age."""

    help = (
        "Delete expired login links and sessions, and the answers kept for repeated calls. "
        "Safe at any time, and while serving."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What else, and how."""
        parser.add_argument(
            "--threads",
            type=int,
            metavar="DAYS",
            help="erase threads to which nothing was added for so long",
        )
        parser.add_argument(
            "--logs",
            type=int,
            metavar="DAYS",
            help="compact the event logs of ended runs that are older",
        )
        parser.add_argument("--project", help="name of a project: threads and logs of it alone")
        add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many went."""
        check_schema()
        kinds = {kind.name: kind for kind in leftovers.KINDS}
        rows = {
            word: kinds[name].count() if options["dry_run"] else leftovers.repair(name)
            for name, word in EXPIRED.items()
        }
        by_age = self.by_age(options)
        verb = "Would delete" if options["dry_run"] else "Deleted"
        *most, last = (f"{count} {name}" for name, count in rows.items())
        words = [f"{verb} {', '.join(most)} and {last}.", *map(in_words, by_age)]
        wire = {"dry_run": options["dry_run"], "rows": rows, "cleanups": by_age}
        say(self, wire, "\n".join(words), as_json=options["json"])

    def by_age(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """What was, or would be, done to threads and logs."""
        found = []
        for option, verb in WAYS:
            days = options[option]
            if days is None:
                continue
            if days < 0:
                raise CommandError(f"--{option} takes a number of days.")
            made = operations.dry_run_cleanup if options["dry_run"] else operations.plan_cleanup
            cleanup = made(
                verb,
                asked_by="command line",
                project=project_named(options["project"]),
                quiet_since=now() - timedelta(days=days),
            )
            if not options["dry_run"]:
                cleanup = carry_out(self, cleanup)
            found.append(told(cleanup, dry_run=options["dry_run"]))
        return found
