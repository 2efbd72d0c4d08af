"""Lists that somebody wants to see again."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from runs.models.columns import ProjectQuerySet, reference


class SavedView(models.Model):
    """Filters of the list of runs under a name of somebody's own."""

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="saved_views")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    #: The query string of the list: relative times stay relative.
    query = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = ProjectQuerySet["SavedView"].as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "project", "name"], name="view_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
