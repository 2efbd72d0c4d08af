"""What runs took, and what tokens cost."""

from typing import ClassVar

from django.db import models

from runs.models.columns import ProjectQuerySet, reference


class UsageEntry(models.Model):
    """What one run took that has ended. Outlives the run: deleting a thread leaves the sums.

    A narrow table of its own, because the rows of runs hold instructions and tools: to sum a
    hundred thousand of those up means to read all of them.
    """

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="usage", db_index=False)
    run_id = models.CharField(max_length=64, unique=True)
    #: Of the run's creation, in UTC: its price is that of this day.
    day = models.DateField()
    model = models.CharField(max_length=256)
    assistant_id = models.CharField(max_length=64)
    key_id = models.CharField(max_length=64, null=True)  # noqa: DJ001  null: made in the console
    status = models.CharField(max_length=15)
    seconds = models.FloatField(help_text="From creation to end.")
    input_tokens = models.PositiveBigIntegerField()
    cached_tokens = models.PositiveBigIntegerField(help_text="Of the input.")
    output_tokens = models.PositiveBigIntegerField()

    objects = ProjectQuerySet["UsageEntry"].as_manager()

    class Meta:
        ordering: ClassVar = ["number"]
        indexes: ClassVar = [models.Index(fields=["project", "day"], name="usage_of_day")]
        verbose_name_plural = "usage entries"

    def __str__(self) -> str:
        return self.run_id


class Price(models.Model):
    """What a million tokens of a model cost from a day on, until a later price of the same
    pattern. Prices are added and removed, never changed: what is past keeps its price."""

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="prices")
    #: A model's name, in which ``*`` stands for anything.
    pattern = models.CharField(max_length=256)
    input = models.DecimalField(max_digits=14, decimal_places=6)
    #: Null: cached tokens cost as much as others.
    cached = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    output = models.DecimalField(max_digits=14, decimal_places=6)
    currency = models.CharField(max_length=3)
    valid_from = models.DateField()

    objects = ProjectQuerySet["Price"].as_manager()

    class Meta:
        ordering: ClassVar = ["pattern", "-valid_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "pattern", "valid_from"], name="price_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pattern} from {self.valid_from}"
