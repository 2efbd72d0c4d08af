"""``manage.py erase``: delete threads with all that belongs to them."""

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
from runs.models import Cleanup, Thread


class Command(BaseCommand):
    """Erase threads by their ids, or all of a project; or go on with what was interrupted."""

    help = (
        "Delete threads with their messages, runs and events. Safe while serving: in small "
        "batches. Threads with an active run are kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which threads, and how."""
        parser.add_argument("threads", nargs="*", metavar="THREAD", help="ids of threads")
        parser.add_argument("--project", help="name of a project: all of its threads")
        parser.add_argument(
            "--cancel", action="store_true", help="cancel active runs, and erase their threads too"
        )
        parser.add_argument("--resume", metavar="CLEANUP", help="go on with this cleanup")
        add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many rows went."""
        check_schema()
        if options["resume"]:
            cleanup = Cleanup.objects.filter(id=options["resume"]).first()
            if cleanup is None:
                raise CommandError(f"There is no cleanup {options['resume']}.")
        else:
            selection = self.selection(options)
            made = operations.dry_run_cleanup if options["dry_run"] else operations.plan_cleanup
            cleanup = made(Verb.ERASE, asked_by="command line", **selection)
        if not options["dry_run"]:
            cleanup = carry_out(self, cleanup)
        wire = told(cleanup, dry_run=options["dry_run"])
        say(self, wire, in_words(wire), as_json=options["json"])

    def selection(self, options: dict[str, Any]) -> dict[str, Any]:
        """The threads that are meant."""
        ids, project = options["threads"], project_named(options["project"])
        if not ids and project is None:
            raise CommandError("Name threads by their ids, or a project.")
        found = dict(Thread.objects.filter(id__in=ids).values_list("id", "number"))
        if missing := [name for name in ids if name not in found]:
            raise CommandError(f"There is no thread {missing[0]}.")
        chosen = list(found.values()) if ids else None
        return {"chosen": chosen, "project": project, "cancel": options["cancel"]}
