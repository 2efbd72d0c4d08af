"""The event log: what readers of a run are sent, in the order of its numbers."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from runs.models.columns import reference
from runs.models.run import OfRunQuerySet


class EventChunk(models.Model):
    """Events of a run that were committed together.

    ``body`` holds them as ready SSE frames (``id``, ``event``, ``data``), so that replay
    sends the bytes that were sent live.
    """

    number = models.BigAutoField(primary_key=True)
    run = reference("runs.Run", related_name="chunks")
    first_number = models.PositiveBigIntegerField()
    last_number = models.PositiveBigIntegerField()
    epoch = models.PositiveIntegerField()
    body = models.TextField()
    #: Of a compacted log: the lengths of the deltas that one was made of, by its number.
    seams = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OfRunQuerySet["EventChunk"].as_manager()

    class Meta:
        ordering: ClassVar = ["first_number"]
        indexes: ClassVar = [models.Index(fields=["run", "last_number"], name="chunk_of_run")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "first_number"], name="number_once_per_run"),
            models.CheckConstraint(
                condition=models.Q(last_number__gte=models.F("first_number")), name="chunk_ordered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.first_number}-{self.last_number}"
