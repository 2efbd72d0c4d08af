"""``manage.py storage``: how large the database is, and what is in it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from runs.contract.errors import ApiError
from runs.management.cleaning import add_output_arguments, say
from runs.management.schema import check_schema
from runs.operations import storage


class Command(BaseCommand):
    """Rows and bytes by table, project and thread; with ``--compact`` SQLite's file made small."""

    help = "Report what the database holds. Reads much of it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to do something about it."""
        parser.add_argument(
            "--compact", action="store_true", help="SQLite: write the file anew, without gaps"
        )
        add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """The report, or the file's size before and after."""
        check_schema()
        if options["compact"] and not options["dry_run"]:
            try:
                before, after = storage.compact_file()
            except ApiError as error:
                raise CommandError(error.message) from None
            words = f"The file had {size(before)}, and has {size(after)}."
            say(self, {"before": before, "after": after}, words, as_json=options["json"])
            return
        report = storage.report()
        say(self, report.wire(), in_words(report), as_json=options["json"])


def in_words(report: storage.Report) -> str:
    """A line for each table, project and large thread."""
    lines = [f"Tables (by {report.measured}):"]
    lines += [f"  {size(t.bytes)}  {t.rows} {t.name}" for t in report.tables]
    lines.append("Projects (messages and event logs):")
    lines += [
        f"  {size(p.bytes)}  {p.project}: {p.threads} threads, {p.runs} runs"
        for p in report.projects
    ]
    lines.append("Largest threads:")
    lines += [f"  {size(t.bytes)}  {t.thread} of {t.project}" for t in report.threads]
    return "\n".join(lines)


def size(count: int) -> str:
    """Bytes for people; Django's way has a space that terminals need not break at."""
    return filesizeformat(count).replace("\xa0", " ").rjust(10)
