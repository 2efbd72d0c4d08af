"""``manage.py prune``: delete what has no use any more."""

from typing import Any

from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand

from runs import operations
from runs.management.schema import check_schema
from runs.models import LoginLink
from runs.models.database import now


class Command(BaseCommand):
    """Delete expired login links, sessions and kept answers. Runs, threads and their events
    stay."""

    help = (
        "Delete expired login links and sessions, and the answers kept for repeated calls. "
        "Safe at any time, and while serving."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many went."""
        check_schema()
        at = now()
        links, _ = LoginLink.objects.filter(expires_at__lt=at).delete()
        sessions, _ = Session.objects.filter(expire_date__lt=at).delete()
        answers = operations.forget_expired_keys()
        self.stdout.write(
            f"Deleted {links} login links, {sessions} sessions and {answers} kept answers."
        )
