"""``manage.py login_link``: a new link into the console."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs.management.schema import check_schema
from runs.operations import access
from runsite.address import base_url


class Command(BaseCommand):
    """Make a login link: for a lost one, or for an operator without a password."""

    help = "Print a link that opens the console once, within 10 minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        """``--user``."""
        parser.add_argument("--user", help="whom it lets in; otherwise the superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link alone, so that it can be piped."""
        check_schema()
        user = None
        if (name := options["user"]) is not None:
            user = User.objects.filter(username=name, is_active=True).first()
            if user is None:
                raise CommandError(f"No user is called “{name}”. Members are added in the console.")
        self.stdout.write(f"{base_url()}/console/enter/#{access.make_login_link(user)}")
