"""What the outputs of a function look like, if somebody has said so."""

import json
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from runs.models.columns import ProjectQuerySet, reference


class OutputSchema(models.Model):
    """The JSON schema of a function's outputs. The API has none: a tool of an assistant
    describes only its arguments. The console makes forms of it; nothing else reads it."""

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="output_schemas")
    #: The assistant that it is for; none: every run of the project.
    assistant = reference("runs.Assistant", related_name="output_schemas", null=True)
    function = models.CharField(max_length=64, help_text="The name of the function.")
    #: As JSON. PostgreSQL's own type of it would forget the order, which is that of the fields.
    text = models.TextField()
    updated_at = models.DateTimeField(default=timezone.now)

    objects = ProjectQuerySet["OutputSchema"].as_manager()

    class Meta:
        ordering: ClassVar = ["function", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "assistant", "function"], name="output_schema_of_assistant"
            ),
            models.UniqueConstraint(
                fields=["project", "function"],
                condition=Q(assistant=None),
                name="output_schema_of_project",
            ),
        ]

    def __str__(self) -> str:
        return self.function

    @property
    def schema(self) -> dict[str, Any]:
        """The schema itself."""
        found: dict[str, Any] = json.loads(self.text)
        return found
