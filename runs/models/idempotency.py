"""Answers that are kept for callers who repeat a call with the same Idempotency-Key."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from runs.models.columns import ProjectQuerySet, reference


class IdempotencyKey(models.Model):
    """What the first call with a key was answered.

    Written in the transaction of what the call did: either both are there or neither.
    """

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="idempotency_keys")
    key = models.CharField(max_length=255, editable=False)
    route = models.CharField(max_length=512, help_text="The path of the call, without /v1.")
    body_digest = models.CharField(max_length=64, editable=False, help_text="SHA-256.")
    #: The wire object of the answer, and the headers that went with it.
    answer = models.JSONField()
    headers = models.JSONField(default=dict)
    #: Of an answer that was a run: a stream is repeated from its log, past ``after``.
    run = reference("runs.Run", related_name="idempotency_keys", null=True)
    after = models.PositiveBigIntegerField(default=0)
    #: The answer has the thread's content, and goes with it.
    thread = reference("runs.Thread", related_name="idempotency_keys", null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = ProjectQuerySet["IdempotencyKey"].as_manager()

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "key", "route"], name="key_once_per_route"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
