"""Threads and their messages."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from runs.contract import ids
from runs.contract.status import MessageStatus
from runs.models.columns import ProjectQuerySet, id_column, reference


class Thread(models.Model):
    """A conversation. One run at a time works on it."""

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.THREAD)
    project = reference("runs.Project", related_name="threads")
    created_at = models.DateTimeField(default=timezone.now)
    metadata = models.JSONField(default=dict)
    tool_resources = models.JSONField(default=dict)

    objects = ProjectQuerySet["Thread"].as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        indexes: ClassVar = [models.Index(fields=["project", "number"], name="thread_of_project")]

    def __str__(self) -> str:
        return self.id


class MessageQuerySet(ProjectQuerySet["Message"]):
    """Messages reach their project through the thread."""

    project_path = "thread__project_id"


class Message(models.Model):
    """One entry of a thread. ``content`` and ``attachments`` are kept as on the wire."""

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.MESSAGE)
    thread = reference("runs.Thread", related_name="messages")
    created_at = models.DateTimeField(default=timezone.now)
    role = models.CharField(max_length=9)
    content = models.JSONField(default=list)
    attachments = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    #: Set on what a run wrote; an id without a constraint, since assistants can be deleted.
    assistant_id = models.CharField(max_length=64, null=True)  # noqa: DJ001  null is a wire value
    run = reference("runs.Run", related_name="messages", null=True)
    status = models.CharField(max_length=11, default=MessageStatus.COMPLETED)
    incomplete_reason = models.CharField(max_length=16, null=True)  # noqa: DJ001  as above
    completed_at = models.DateTimeField(null=True)
    incomplete_at = models.DateTimeField(null=True)
    #: Left behind by a lost attempt at a turn: listed, but kept out of later prompts.
    interrupted = models.BooleanField(default=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["number"]
        indexes: ClassVar = [models.Index(fields=["thread", "number"], name="message_of_thread")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(role__in=["user", "assistant"]), name="message_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=list(MessageStatus)), name="message_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.id
