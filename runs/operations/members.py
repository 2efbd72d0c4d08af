"""Operations on people: what they may do in which project."""

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from runs.contract.errors import BadRequest
from runs.contract.roles import GIVEN, Role
from runs.models import LoginLink, Member, Project
from runs.models.database import now
from runs.operations.access import make_login_link


def projects_of(user: User | AnonymousUser | None) -> QuerySet[Project]:
    """The projects that somebody may see, oldest first."""
    if not isinstance(user, User) or not user.is_active:
        return Project.objects.none()
    if user.is_staff:
        return Project.objects.all()
    return Project.objects.filter(members__user=user)


def role_in(project: Project, user: User) -> Role | None:
    """What an active user is in a project; None: nothing."""
    if user.is_staff:
        return Role.INSTANCE
    role = Member.objects.for_project(project).filter(user=user).values_list("role", flat=True)
    return Role(role[0]) if role else None


def add_member(project: Project, username: str, role: str, by: User) -> Member:
    """Let somebody into a project; a name that nobody has yet becomes a user without a password.

    A user who was in no project any more begins anew, without the password, sessions and links
    that somebody who once administered them may hold.

    Raises:
        BadRequest: no such role, no possible name, they are in the project already, or in one
            that ``by`` does not administer: whoever does could act as them here.
    """
    wanted, username = given_role(role), User.normalize_username(username.strip())
    with transaction.atomic():
        user = User.objects.filter(username=username).first() or make_user(username)
        if not user.is_active:
            raise BadRequest(f"“{username}” is switched off.", param="username")
        if user.is_staff or user.is_superuser:
            raise BadRequest(f"“{username}” may do everything here already.", param="username")
        if not user.memberships.exists():
            begin_anew(user)
        elif not administers(by, user):
            raise BadRequest(
                f"“{username}” is in a project in which you are no admin. Whoever administers "
                "this server can add them.",
                param="username",
            )
        member, made = Member.objects.get_or_create(
            project=project, user=user, defaults={"role": wanted, "created_at": now()}
        )
    if not made:
        raise BadRequest(f"“{username}” is in this project already.", param="username")
    return member


def make_user(username: str) -> User:
    """A user who can sign in by a link only, until they set a password.

    Raises:
        BadRequest: nobody can be called that.
    """
    user = User(username=username)
    user.set_unusable_password()
    try:
        user.full_clean()
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages), param="username") from error
    user.save()
    return user


def set_role(member: Member, role: str) -> Member:
    """Change what a member may do; open pages notice within seconds.

    Raises:
        BadRequest: there is no such role.
    """
    member.role = given_role(role)
    Member.objects.filter(number=member.number).update(role=member.role)
    return member


def remove_member(member: Member) -> None:
    """Close a project to a member. The user stays; links that let them in go."""
    Member.objects.filter(number=member.number).delete()
    LoginLink.objects.filter(user=member.user, used_at=None).delete()


def invite(by: User, member: Member) -> str:
    """The token of a login link for a member.

    Raises:
        BadRequest: the member is in a project in which ``by`` is no admin: the link would let
            whoever uses it into that project too.
    """
    if not administers(by, member.user):
        raise BadRequest(
            f"“{member.user}” is in projects in which you are no admin. "
            "Somebody who is admin in all of them can make the link."
        )
    return make_login_link(member.user)


def administers(by: User, user: User) -> bool:
    """Whether ``by`` is admin in every project that a user is in, so may act for them."""
    if by.is_staff:
        return True
    theirs = set(user.memberships.values_list("project_id", flat=True))
    administered = by.memberships.filter(role=Role.ADMIN, project_id__in=theirs)
    return not (user.is_staff or user.is_superuser) and len(theirs) == administered.count()


def begin_anew(user: User) -> None:
    """Take a user's password, and with it their sessions, and the links that were not used."""
    user.set_unusable_password()
    user.save(update_fields=["password"])
    LoginLink.objects.filter(user=user, used_at=None).delete()


def given_role(role: str) -> Role:
    """The role of this name.

    Raises:
        BadRequest: a member cannot have such a role.
    """
    if role not in GIVEN:
        raise BadRequest(f"There is no role “{role}”.", param="role")
    return Role(role)
