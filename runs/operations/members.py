"""Operations on people: what they may do in which project."""

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from runs.contract.errors import BadRequest
from runs.contract.roles import GIVEN, Role
from runs.models import Member, Project
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


def add_member(project: Project, username: str, role: str) -> Member:
    """Let somebody into a project; a name that nobody has yet becomes a user without a password.

    Raises:
        BadRequest: no such role, no possible name, or they are in the project already.
    """
    wanted, username = given_role(role), User.normalize_username(username.strip())
    with transaction.atomic():
        user = User.objects.filter(username=username).first() or make_user(username)
        if not user.is_active:
            raise BadRequest(f"“{username}” is switched off.", param="username")
        if user.is_staff:
            raise BadRequest(f"“{username}” may do everything here already.", param="username")
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
    """Close a project to a member. The user stays."""
    Member.objects.filter(number=member.number).delete()


def invite(by: User, member: Member) -> str:
    """The token of a login link for a member.

    Raises:
        BadRequest: the member is in a project in which ``by`` is no admin: the link would let
            whoever uses it into that project too.
    """
    if not by.is_staff:
        theirs = set(member.user.memberships.values_list("project_id", flat=True))
        administered = by.memberships.filter(role=Role.ADMIN, project_id__in=theirs)
        if member.user.is_staff or len(theirs) > administered.count():
            raise BadRequest(
                f"“{member.user}” is in projects in which you are no admin. "
                "Somebody who is admin in all of them can make the link."
            )
    return make_login_link(member.user)


def given_role(role: str) -> Role:
    """The role of this name.

    Raises:
        BadRequest: a member cannot have such a role.
    """
    if role not in GIVEN:
        raise BadRequest(f"There is no role “{role}”.", param="role")
    return Role(role)
