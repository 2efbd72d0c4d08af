"""Assistants: settings that runs start from, and what these were before."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from runs.contract import ids
from runs.contract.limits import DESCRIPTION, NAME
from runs.models.columns import ProjectQuerySet, id_column, reference


class Assistant(models.Model):
    """A model, its instructions and tools under a name."""

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.ASSISTANT)
    project = reference("runs.Project", related_name="assistants")
    created_at = models.DateTimeField(default=timezone.now)
    name = models.CharField(max_length=NAME, null=True)  # noqa: DJ001  null is a wire value
    description = models.CharField(max_length=DESCRIPTION, null=True)  # noqa: DJ001  as above
    model = models.CharField(max_length=256)
    instructions = models.TextField(null=True)  # noqa: DJ001  as above
    tools = models.JSONField(default=list)
    tool_resources = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    temperature = models.FloatField(null=True)
    top_p = models.FloatField(null=True)
    response_format = models.JSONField(default=None, null=True)
    reasoning_effort = models.CharField(max_length=16, null=True)  # noqa: DJ001  as above
    #: Of the settings above; 0 until the first change of an assistant that is older than versions.
    version = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects = ProjectQuerySet["Assistant"].as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        indexes: ClassVar = [
            models.Index(fields=["project", "number"], name="assistant_of_project")
        ]

    def __str__(self) -> str:
        return self.name or self.id


class AssistantVersion(models.Model):
    """The settings of an assistant as they were at one time. Outlives the assistant: runs refer
    to it."""

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="assistant_versions")
    assistant_id = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    settings = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    # Who made it, where that is known
    user = models.ForeignKey("auth.User", models.SET_NULL, null=True, related_name="+")
    key = reference("runs.ApiKey", null=True, on_delete=models.SET_NULL, related_name="+")

    objects = ProjectQuerySet["AssistantVersion"].as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["assistant_id", "version"], name="version_once")
        ]

    def __str__(self) -> str:
        return f"{self.assistant_id} v{self.version}"
