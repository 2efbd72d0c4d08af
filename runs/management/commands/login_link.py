"""``manage.py login_link``: a new link into the console."""

from typing import Any

from django.core.management.base import BaseCommand

from runs.management.schema import check_schema
from runs.operations import access
from runsite.address import base_url


class Command(BaseCommand):
    """Make a login link: for a lost one, or for an operator without a password."""

    help = "Print a link that opens the console once, within 10 minutes."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link alone, so that it can be piped."""
        check_schema()
        self.stdout.write(f"{base_url()}/console/enter/#{access.make_login_link()}")
