"""``manage.py after_restore``: make a restored database safe to serve."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs.contract.errors import ApiError
from runs.management.cleaning import add_output_arguments, say
from runs.management.schema import check_schema
from runs.operations import restore


class Command(BaseCommand):
    """End what was under way when the backup was taken: it was done, and paid for, since."""

    help = (
        "After restoring a backup, before the first start: end every unfinished run as failed, "
        "and delete sessions and login links. Refuses a database on which runs are worked on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to count only, and how to say it."""
        add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many there were."""
        check_schema()
        dry_run = options["dry_run"]
        try:
            left = restore.find() if dry_run else restore.settle()
        except ApiError as error:
            raise CommandError(error.message) from None
        ended, deleted = ("Would end", "would delete") if dry_run else ("Ended", "deleted")
        words = (
            f"{ended} {left.runs} unfinished runs; {deleted} {left.sessions} sessions "
            f"and {left.login_links} login links."
        )
        say(self, {"dry_run": dry_run, **asdict(left)}, words, as_json=options["json"])
