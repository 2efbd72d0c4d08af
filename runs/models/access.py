"""Projects, their API keys, and links that let a person into the console."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from runs.contract import ids
from runs.contract.roles import GIVEN
from runs.models.columns import ProjectQuerySet, id_column, reference


class Project(models.Model):
    """Owns every other object. A key of one project sees nothing of another."""

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.PROJECT)
    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """What somebody may do in a project. Staff need no row: they may do all in every project."""

    number = models.BigAutoField(primary_key=True)
    project = reference("runs.Project", related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ProjectQuerySet["Member"].as_manager()

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "project"], name="member_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=[str(role) for role in GIVEN]), name="member_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class ApiKey(models.Model):
    """A key of a project; only its SHA-256 is stored."""

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.KEY)
    project = reference("runs.Project", related_name="keys")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField(max_length=40, editable=False, help_text="The key, masked.")
    #: Set by RUNSITE_API_KEY; a new value of the variable replaces it.
    from_environment = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = ProjectQuerySet["ApiKey"].as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.shown})"


class LoginLink(models.Model):
    """A single-use token that opens the console; only its SHA-256 is stored."""

    number = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    #: Whom it lets in; none: the superuser, who is made if there is none.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"login link {self.number}"
