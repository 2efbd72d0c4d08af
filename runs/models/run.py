"""Runs, their steps, and the tool calls of those."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from runs.contract import ids
from runs.contract.status import ACTIVE, DRIVEN, TERMINAL, RunStatus, StepStatus
from runs.models.columns import M, ProjectQuerySet, id_column, reference

ACTIVE_VALUES = sorted(ACTIVE)
#: Ended, but not as it was meant to.
UNDONE_VALUES = sorted(TERMINAL - {RunStatus.COMPLETED})
DRIVABLE_VALUES = [RunStatus.QUEUED, *sorted(DRIVEN)]
#: When a run ended; null before that.
ENDED_AT = Coalesce("completed_at", "failed_at", "cancelled_at", "expired_at")


class RunQuerySet(ProjectQuerySet["Run"]):
    """Runs. The messages that one keeps in line may be megabytes: doors read them on use."""

    def for_project(self, project: models.Model) -> "RunQuerySet":
        """The runs of ``project``."""
        return super().for_project(project).defer("line_messages")  # type: ignore[return-value]


class Run(models.Model):
    """One answer of an assistant on a thread, of as many turns as it takes.

    This row is the truth about the run: who drives it is decided by conditional updates
    of it, never by a queue. ``epoch`` rises with every claim; a driver whose epoch is not
    the row's can write nothing.
    """

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.RUN)
    project = reference("runs.Project", related_name="runs")
    thread = reference("runs.Thread", related_name="runs")
    #: An id without a constraint: a deleted assistant's runs go on.
    assistant_id = models.CharField(max_length=64, db_index=True)
    #: The version that it started from; null for runs that are older than versions.
    assistant_version = models.PositiveIntegerField(null=True)
    #: Names of the settings that its own request gave; null where that is not known.
    given = models.JSONField(null=True)
    #: The run whose input this one repeats. An id without a constraint: it can be deleted.
    rerun_of = models.CharField(max_length=64, null=True)  # noqa: DJ001  null: of none
    #: The API key that created it. An id without a constraint: keys can be deleted.
    key_id = models.CharField(max_length=64, null=True)  # noqa: DJ001  null: made in the console

    status = models.CharField(max_length=15, default=RunStatus.QUEUED)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    expired_at = models.DateTimeField(null=True)
    last_error = models.JSONField(null=True)
    incomplete_reason = models.CharField(max_length=24, null=True)  # noqa: DJ001  null is a wire value

    # Its place in line
    in_line = models.BooleanField(
        default=False, help_text="Queued behind the run that its thread is busy with."
    )
    #: Messages that enter the thread when the run's turn comes: earlier, they would reach
    #: the run that is ahead of it.
    line_messages = models.JSONField(null=True)

    # Who drives it
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=64, default="", blank=True)
    lease_until = models.DateTimeField(null=True)
    claims = models.PositiveIntegerField(
        default=0, help_text="Claims since the last committed turn."
    )
    turn = models.PositiveIntegerField(default=0, help_text="Committed turns.")

    # Its event log
    next_number = models.PositiveBigIntegerField(default=1)
    last_number = models.PositiveBigIntegerField(default=0)
    #: Since when its deltas are one per part of a message or call.
    compacted_at = models.DateTimeField(null=True)

    # Tool outputs
    required_action = models.JSONField(null=True)
    #: Of the latest accepted submission: ``{"outputs": {call id: output}, "after": number}``.
    submission = models.JSONField(null=True)
    #: The clock of each wait for outputs (seconds), if this run asked for one of its own.
    action_lifetime = models.PositiveIntegerField(null=True)
    #: Run time left when it began to wait, if the wait has a clock of its own (seconds).
    paused_seconds = models.FloatField(null=True)

    # Settings it runs with, after overrides
    model = models.CharField(max_length=256)
    instructions = models.TextField(null=True)  # noqa: DJ001  as above
    tools = models.JSONField(default=list)
    tool_resources = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    temperature = models.FloatField(null=True)
    top_p = models.FloatField(null=True)
    response_format = models.JSONField(default=None, null=True)
    reasoning_effort = models.CharField(max_length=16, null=True)  # noqa: DJ001  as above
    tool_choice = models.JSONField(default=None, null=True)
    parallel_tool_calls = models.BooleanField(default=True)
    truncation_strategy = models.JSONField(default=None, null=True)
    max_prompt_tokens = models.PositiveIntegerField(null=True)
    max_completion_tokens = models.PositiveIntegerField(null=True)

    #: Tokens of the committed turns; shown once the run has ended.
    usage = models.JSONField(null=True)
    #: Who answers, in words for people: "the local SmolLM2". Empty until the first turn.
    answered_by = models.CharField(max_length=200, default="", blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        indexes: ClassVar = [
            models.Index(fields=["project", "number"], name="run_of_project"),
            models.Index(fields=["project", "status", "number"], name="run_of_status"),
            models.Index(fields=["project", "assistant_id", "number"], name="run_of_assistant"),
            models.Index(fields=["project", "created_at"], name="run_of_day"),
            models.Index(fields=["project", "model", "number"], name="run_of_model"),
            models.Index("project", ENDED_AT, name="run_by_end"),
            models.Index(fields=["thread", "number"], name="run_of_thread"),
            # Not by status: SQLite would take that one where a partial one below is meant.
            models.Index(
                fields=["number"], condition=Q(status__in=UNDONE_VALUES), name="run_undone"
            ),
            models.Index(
                fields=["rerun_of"], condition=Q(rerun_of__isnull=False), name="run_again"
            ),
            models.Index(
                fields=["thread", "number"], condition=Q(in_line=True), name="run_in_line"
            ),
            models.Index(
                fields=["lease_until"],
                condition=Q(status__in=DRIVABLE_VALUES),
                name="run_to_drive",
            ),
            models.Index(
                fields=["expires_at"], condition=Q(status__in=ACTIVE_VALUES), name="run_to_expire"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["thread"],
                condition=Q(status__in=ACTIVE_VALUES, in_line=False),
                name="one_active_run",
            ),
            models.CheckConstraint(
                condition=Q(in_line=False) | Q(status=RunStatus.QUEUED), name="queued_in_line"
            ),
            models.CheckConstraint(
                condition=Q(status__in=list(RunStatus)), name="run_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.id


class OfRunQuerySet(ProjectQuerySet[M]):
    """Rows that reach their project through the run."""

    project_path = "run__project_id"


class RunStep(models.Model):
    """A message or a set of tool calls that a turn made."""

    number = models.BigAutoField(primary_key=True)
    id = id_column(ids.STEP)
    run = reference("runs.Run", related_name="steps")
    turn = models.PositiveIntegerField(help_text="The turn that made it, from 1.")
    index = models.PositiveIntegerField(help_text="Its place in the turn, from 0.")
    type = models.CharField(max_length=16)
    status = models.CharField(max_length=11, default=StepStatus.IN_PROGRESS)
    created_at = models.DateTimeField(default=timezone.now)
    #: When the model was asked, of the step with which a turn begins: it was opened
    #: (``created_at``) by the model's first word.
    asked_at = models.DateTimeField(null=True)
    #: When the calls of a tool step were whole, and the wait for their outputs began.
    called_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    expired_at = models.DateTimeField(null=True)
    #: Of a message step. An id without a constraint: the message can be deleted.
    message_id = models.CharField(max_length=64, null=True)  # noqa: DJ001  null is a wire value
    last_error = models.JSONField(null=True)
    usage = models.JSONField(null=True)
    #: Left behind by a lost attempt at a turn.
    interrupted = models.BooleanField(default=False)

    objects = OfRunQuerySet["RunStep"].as_manager()

    class Meta:
        ordering: ClassVar = ["number"]
        indexes: ClassVar = [models.Index(fields=["run", "number"], name="step_of_run")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "turn", "index"],
                condition=Q(interrupted=False),
                name="one_step_per_place",
            ),
            models.CheckConstraint(
                condition=Q(status__in=list(StepStatus)), name="step_status_known"
            ),
            models.CheckConstraint(
                condition=Q(type__in=["message_creation", "tool_calls"]), name="step_type_known"
            ),
        ]

    def __str__(self) -> str:
        return self.id


class ToolCall(models.Model):
    """A function call that the model asked for; ``output`` comes from the client."""

    number = models.BigAutoField(primary_key=True)
    id = models.CharField(max_length=128, help_text="The call id on the wire, unique in its run.")
    run = reference("runs.Run", related_name="tool_calls")
    step = reference("runs.RunStep", related_name="tool_calls")
    index = models.PositiveIntegerField()
    name = models.CharField(max_length=128)
    arguments = models.TextField()
    output = models.TextField(null=True)  # noqa: DJ001  null is a wire value
    submitted_at = models.DateTimeField(null=True)
    #: Who gave the output: somebody in the console, or a client by its key.
    submitted_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, db_index=False, related_name="+"
    )
    submitted_by_key = reference(
        "runs.ApiKey", on_delete=models.SET_NULL, null=True, db_index=False, related_name="+"
    )

    objects = OfRunQuerySet["ToolCall"].as_manager()

    class Meta:
        ordering: ClassVar = ["step", "index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "id"], name="call_id_once_per_run"),
            models.UniqueConstraint(fields=["step", "index"], name="one_call_per_place"),
        ]
        indexes: ClassVar = [models.Index(fields=["name", "number"], name="call_of_function")]

    def __str__(self) -> str:
        return self.id
