"""Pieces of cleaning up that are worked off batch by batch, by whichever process holds them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from runs.contract import ids
from runs.contract.cleanup import Verb
from runs.models.columns import id_column, reference


class Cleanup(models.Model):
    """What is to go, what a dry run counted of it, and how far it has got.

    Each batch is one transaction together with its progress: whoever takes a cleanup up after
    a crash goes on where the last batch ended. ``epoch`` rises with every claim, and a worker
    whose epoch is not the row's does nothing more.
    """

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.CLEANUP)
    verb = models.CharField(max_length=8)
    asked_by = models.CharField(max_length=150, default="", blank=True)

    # What it is about
    project = reference("runs.Project", related_name="cleanups", null=True)
    #: Numbers of rows that were chosen one by one, ascending; null: all that the rest selects.
    chosen = models.JSONField(null=True)
    quiet_since = models.DateTimeField(
        null=True, help_text="Only what nothing has happened to since."
    )
    cancel = models.BooleanField(default=False, help_text="Cancel active runs first.")

    # Figures: rows by kind
    counts = models.JSONField(default=dict, help_text="As the dry run counted them.")
    done = models.JSONField(default=dict)
    busy = models.PositiveIntegerField(default=0, help_text="Of those meant, to be kept.")
    kept = models.PositiveIntegerField(default=0, help_text="Left alone: a run is active.")

    # How far it is
    after = models.BigIntegerField(default=0, help_text="Rows up to this number are dealt with.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    # Who works on it
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=64, default="", blank=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(verb__in=[str(verb) for verb in Verb]), name="cleanup_verb_known"
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def held(self) -> bool:
        """Whether somebody works on it, by the clock of this process."""
        return self.lease_until is not None and self.lease_until > timezone.now()

    @property
    def standing(self) -> str:
        """Where it is, in a word for people."""
        if self.ended_at:
            return "done"
        if self.started_at is None:
            return "planned"
        if self.stopped_at:
            return "stopping" if self.held else "stopped"
        return "running" if self.held else "interrupted"
