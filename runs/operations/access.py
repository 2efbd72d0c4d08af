"""Operations on projects, API keys and login links."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from runs.contract import keys
from runs.contract.errors import BadRequest
from runs.models import ApiKey, LoginLink, Project
from runs.models.database import now

DEFAULT_PROJECT = "default"
OPERATOR = "admin"  # the superuser that the first login link makes
LINK_LIFETIME = timedelta(minutes=10)
USED_EVERY = timedelta(minutes=1)  # `last_used_at` is written at most this often per key


def default_project() -> Project:
    """The project of the first key; made on first use."""
    return Project.objects.get_or_create(name=DEFAULT_PROJECT)[0]


def create_project(name: str) -> Project:
    """Create a project.

    Raises:
        BadRequest: the name is empty, too long or taken.
    """
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadRequest("A project's name has 1 to 100 characters.", param="name")
    try:
        with transaction.atomic():
            return Project.objects.create(name=name, created_at=now())
    except IntegrityError as taken:
        raise BadRequest(f"There is a project named '{name}' already.", param="name") from taken


def create_key(project: Project, name: str) -> tuple[ApiKey, str]:
    """Create a key. The second value is the key itself, which can never be had again."""
    plaintext = keys.make_key()
    key = ApiKey.objects.create(
        project=project,
        name=name.strip()[:100] or "key",
        digest=keys.digest(plaintext),
        shown=keys.mask(plaintext),
        created_at=now(),
    )
    return key, plaintext


def first_key() -> str | None:
    """The key of a first start, of the default project; None if there is a key already. Of several
    processes that start at once one makes it."""
    default_project()
    with transaction.atomic():
        project = Project.objects.select_for_update().get(name=DEFAULT_PROJECT)
        if ApiKey.objects.exists():
            return None
        return create_key(project, "first start")[1]


def set_environment_key(plaintext: str) -> ApiKey:
    """Make ``plaintext`` (``RUNSITE_API_KEY``) a key of the default project.

    It replaces the key that an earlier value of the variable made; starting again with
    the same value changes nothing.

    Raises:
        BadRequest: it is shorter than 32 characters, or is a key that was revoked.
    """
    if len(plaintext) < keys.OWN_KEY_LENGTH:
        raise BadRequest(f"RUNSITE_API_KEY needs at least {keys.OWN_KEY_LENGTH} characters.")
    digest = keys.digest(plaintext)
    with transaction.atomic():
        older = ApiKey.objects.filter(from_environment=True, revoked_at=None)
        older.exclude(digest=digest).update(revoked_at=now())
        key, _ = ApiKey.objects.get_or_create(
            digest=digest,
            defaults={
                "project": default_project(),
                "name": "RUNSITE_API_KEY",
                "shown": keys.mask(plaintext),
                "from_environment": True,
                "created_at": now(),
            },
        )
        if key.revoked_at is not None and key.from_environment:
            ApiKey.objects.filter(number=key.number).update(revoked_at=None)
            key.revoked_at = None
    if key.revoked_at is not None:
        raise BadRequest("RUNSITE_API_KEY holds a key that was revoked. Choose another.")
    return key


def revoke_key(key: ApiKey) -> ApiKey:
    """Make a key useless at once. Its row stays, so that its name can be looked up.

    The environment does not bring it back: whoever revoked it meant it.
    """
    if key.revoked_at is None:
        key.revoked_at, key.from_environment = now(), False
        ApiKey.objects.filter(number=key.number, revoked_at=None).update(
            revoked_at=key.revoked_at, from_environment=False
        )
    return key


def find_key(plaintext: str) -> ApiKey | None:
    """The live key that this is, with its project; None if there is none.

    A mistyped key of our own making is refused without a query.
    """
    if keys.looks_wrong(plaintext):
        return None
    key = (
        ApiKey.objects.select_related("project")
        .filter(digest=keys.digest(plaintext), revoked_at=None)
        .first()
    )
    if key is not None:
        note_use(key)
    return key


def note_use(key: ApiKey) -> None:
    """Keep ``last_used_at`` right to a minute, without a write per request."""
    at = timezone.now()  # near enough, and the database's clock would cost each request a query
    if key.last_used_at is None or at - key.last_used_at > USED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=at - USED_EVERY)
        ApiKey.objects.filter(stale, number=key.number).update(last_used_at=at)


def needs_login_link() -> bool:
    """Whether nobody can sign in by password yet."""
    operators = get_user_model().objects.filter(is_active=True, is_staff=True)
    return not any(user.has_usable_password() for user in operators)


def make_login_link(user: User | None = None) -> str:
    """A token that lets a user into the console once, within ten minutes; the superuser if
    none is named."""
    token = secrets.token_urlsafe(32)
    at = now()
    LoginLink.objects.create(
        digest=token_digest(token), user=user, created_at=at, expires_at=at + LINK_LIFETIME
    )
    return token


def use_login_link(token: str) -> User:
    """The user a token lets in; the token is used up.

    The first use of a link for nobody named makes the superuser ``admin``, without a usable
    password.

    Raises:
        BadRequest: the token is unknown, used or too old, or its user is switched off.
    """
    at = now()
    with transaction.atomic():
        links = LoginLink.objects.filter(digest=token_digest(token))
        if not links.filter(used_at=None, expires_at__gt=at).update(used_at=at):
            raise BadRequest("This login link was used already or is older than ten minutes.")
        named = links.select_related("user").get().user
        if named is not None:
            if not named.is_active:
                raise BadRequest("The user of this login link is switched off.")
            return named
        operator = User.objects.filter(is_active=True, is_superuser=True).order_by("id").first()
        return operator or User.objects.create_superuser(OPERATOR)


def token_digest(token: str) -> str:
    """SHA-256 as hex: all that is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
