"""``manage.py backup``: a copy of SQLite's file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from runs.contract.errors import ApiError
from runs.operations import backup


class Command(BaseCommand):
    """Copy the database to a file that is not there yet. Asks for no schema: one backs up
    before migrating."""

    help = "SQLite: write a checked copy of the database to FILE. Safe while serving."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("file", type=Path, metavar="FILE", help="a path that is still free")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how large it is."""
        try:
            size = backup.back_up(options["file"])
        except ApiError as error:
            raise CommandError(error.message) from None
        in_words = filesizeformat(size).replace("\xa0", " ")
        self.stdout.write(f"Wrote {options['file']} ({in_words}), and checked it.")
