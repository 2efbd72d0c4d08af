"""``manage.py create_key``: a new API key, for a project that is made if it is new."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs.contract.errors import ApiError
from runs.management.schema import check_schema
from runs.models import Project
from runs.operations import access


class Command(BaseCommand):
    """Make an API key."""

    help = "Print a new API key. It is shown only once: only its hash is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        """The project and the name of the key."""
        parser.add_argument("--project", help="name of the project; made if there is none")
        parser.add_argument("--name", default="command line", help="what the key is for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key alone on standard output, and about it on standard error."""
        check_schema()
        try:
            project = self.project(options["project"])
        except ApiError as error:
            raise CommandError(error.message) from None
        key, plaintext = access.create_key(project, options["name"])
        self.stderr.write(f"A key for the project '{project.name}' ({key.id}), shown only now:")
        self.stdout.write(plaintext)

    def project(self, name: str | None) -> Project:
        """The project of that name, new or not; the default one without a name."""
        if name is None:
            return access.default_project()
        found = Project.objects.filter(name=name.strip()).first()
        if found is None:
            found = access.create_project(name)
            self.stderr.write(f"Made the project '{found.name}'.")
        return found
