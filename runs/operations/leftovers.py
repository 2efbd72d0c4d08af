"""What has no use any more, and what should not be there: found, counted, put right."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, ForeignKey, OuterRef, Q, QuerySet

from runs.contract.errors import ApiError
from runs.contract.status import CLOSING, DRIVEN, TERMINAL, MessageStatus, RunStatus, StepStatus
from runs.execution import engines, line
from runs.lifecycle.steps import close_open
from runs.lifecycle.usage import note_unnoted, unnoted
from runs.models import IdempotencyKey, LoginLink, Message, Run, RunStep, Thread
from runs.models.columns import spelled
from runs.models.database import now
from runs.models.run import DRIVABLE_VALUES
from runs.operations.erase import quiet
from runs.operations.idempotency import forget_expired_keys, oldest
from runs.operations.interventions import kick_run

QUIET = timedelta(days=30)  # a thread to which nothing was added for so long is offered to erase
ENDED_VALUES = sorted(TERMINAL)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of leftovers."""

    name: str
    says: str
    count: Callable[[], int]
    #: Puts them right; returns how many. None: nothing here does.
    repair: Callable[[], int] | None = None
    #: The database's own rules make these impossible: any is a defect to report.
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """How many leftovers there are of a kind. Plain values: a template calls what it can call."""

    name: str
    says: str
    count: int
    alarm: bool  # there are some, and there must be none
    repairable: bool


def parentless() -> int:
    """Rows that refer to a row that is not there, by every foreign key of ours."""
    found = 0
    for model in apps.get_app_config("runs").get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, ForeignKey):
                target = str(field.target_field.attname)
                parent = field.related_model._base_manager.filter(
                    **{target: OuterRef(field.attname)}
                )
                rows = model._base_manager.exclude(**{field.attname: None})
                found += rows.filter(~Exists(parent)).count()
    return found


def silent_runs() -> QuerySet[Run]:
    """Runs whose driver has let its lease run out, and that nobody has taken over."""
    rows = Run.objects.filter(status__in=spelled(DRIVABLE_VALUES), lease_until__lt=now())
    return rows.filter(status__in=sorted(DRIVEN))


def torn_runs() -> QuerySet[Run]:
    """Ended runs with a step or a message that is still open."""
    steps = RunStep.objects.filter(status=StepStatus.IN_PROGRESS).order_by()
    drafts = Message.objects.filter(status=MessageStatus.IN_PROGRESS, run__isnull=False).order_by()
    open_ones = Q(id__in=steps.values("run_id")) | Q(id__in=drafts.values("run_id"))
    return Run.objects.filter(open_ones, status__in=spelled(ENDED_VALUES))


def quiet_threads() -> QuerySet[Thread]:
    """Threads to which nothing was added for ``QUIET``."""
    return quiet(Thread.objects.all(), now() - QUIET)


def kick_all() -> int:
    """Have the runs that nobody drives driven; how many. None where no engine runs in this
    process: the watchdog of one that serves finds them."""
    if not engines.current().running:
        return 0
    return len([kick_run(run) for run in silent_runs().defer("line_messages")])


def close_torn() -> int:
    """Close what ended runs left open. Their readers have had their ending: the log stays."""
    closed = 0
    for run in torn_runs().defer("line_messages"):
        ending = RunStatus(run.status)
        try:
            with transaction.atomic():
                line.hold(run.thread_id)  # first, as whoever deletes the thread
                close_open(run, ending if ending in CLOSING else RunStatus.FAILED)
        except ApiError:
            continue
        closed += 1
    return closed


def expired_sessions() -> QuerySet[Session]:
    """Sessions of the console that have ended."""
    return Session.objects.filter(expire_date__lt=now())


def expired_links() -> QuerySet[LoginLink]:
    """Login links that work no more."""
    return LoginLink.objects.filter(expires_at__lt=now())


def forget_sessions() -> int:
    """Delete the ended sessions; how many there were."""
    return expired_sessions().delete()[0]


def forget_links() -> int:
    """Delete the login links that work no more; how many there were."""
    return expired_links().delete()[0]


def due_answers() -> int:
    """How many answers are kept longer than their day."""
    return IdempotencyKey.objects.filter(created_at__lte=oldest()).count()


KINDS = (
    Kind("parentless", "rows whose parent row is missing", parentless, alarm=True),
    Kind(
        "torn",
        "ended runs with an open step or message",
        lambda: torn_runs().count(),
        close_torn,
        alarm=True,
    ),
    Kind(
        "unnoted",
        "ended runs that the usage page does not count",
        lambda: len(unnoted()),
        note_unnoted,
    ),
    Kind("silent", "runs whose driver has gone silent", lambda: silent_runs().count(), kick_all),
    Kind("answers", "answers kept for more than a day", due_answers, forget_expired_keys),
    Kind(
        "sessions",
        "sessions that have ended",
        lambda: expired_sessions().count(),
        forget_sessions,
    ),
    Kind("links", "login links that have expired", lambda: expired_links().count(), forget_links),
    Kind("quiet", f"threads quiet for {QUIET.days} days", lambda: quiet_threads().count()),
)


def find() -> list[Finding]:
    """All kinds, each with how many there are."""
    return [finding(kind, kind.count()) for kind in KINDS]


def finding(kind: Kind, count: int) -> Finding:
    """What was found of a kind."""
    repairable = kind.repair is not None and count > 0
    return Finding(kind.name, kind.says, count, kind.alarm and count > 0, repairable)


def repair(name: str) -> int:
    """Put the leftovers of a kind right; how many were.

    Raises:
        KeyError: there is no such kind, or nothing puts it right.
    """
    repairs = {kind.name: kind.repair for kind in KINDS if kind.repair is not None}
    return repairs[name]()


def in_words(name: str, repaired: int) -> str:
    """What :func:`repair` did, for a sentence."""
    if name == "silent" and not repaired:
        return "left to the watchdog of a running server"
    return f"{repaired} put right"
