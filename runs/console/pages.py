"""What every page has in common: who may see it, its project, and how it is rendered."""

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from runs.console.attention import attention
from runs.console.zones import UTC, zone_of
from runs.contract.errors import Busy, NotFound
from runs.contract.roles import NEEDS, Role
from runs.execution import engines
from runs.models import Project
from runs.models.columns import M
from runs.models.database import TROUBLE
from runs.operations import projects_of, role_in
from runs.operations.access import default_project
from runsite.address import absolute

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PROJECT = "project"  # session key: id of the chosen project


class ConsoleRequest(HttpRequest):
    """A request of the console, as the middleware leaves it."""

    htmx: HtmxDetails
    user: User | AnonymousUser
    role: Role  # set by member_only


View = Callable[Concatenate[ConsoleRequest, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a session works: a project, what its user may do there, their time zone, and who
    they are."""

    project: Project
    role: Role
    zone: ZoneInfo = UTC
    user_id: int | None = None


def member_only(view: Callable[Concatenate[ConsoleRequest, Project, P], HttpResponse]) -> View[P]:
    """Let members in whose role is enough for the route, and hand the view their project.

    A form that htmx sent is answered 401 or 403, which the page turns into a note and keeps
    what was typed; anything else goes to the sign-in page and back, or to a page that says no.
    """

    @functools.wraps(view)
    def guarded(request: ConsoleRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not (request.user.is_authenticated and request.user.is_active):
            if request.htmx:
                return HttpResponse("Sign in again.", status=401, content_type="text/plain")
            return cast(HttpResponse, redirect_to_login(request.get_full_path()))
        seat = seat_of(request.user, request.session)
        if seat is None:
            return refusal(request, "You are in no project. Ask an admin of one to let you in.")
        needed = needed_for(request)
        if needed is not None and not seat.role.covers(needed):
            word = f"Your role in this project is {seat.role}."
            return refusal(request, f"{word} This needs the role {needed}.")
        request.role = seat.role
        try:
            with timezone.override(zone_of(request.COOKIES)):
                return view(request, seat.project, *args, **kwargs)
        except NotFound as gone:  # deleted since the view found it
            raise Http404(gone.message) from gone
        except (Busy, *TROUBLE):
            logger.warning("the database could not take a form or page", exc_info=True)
            return render(request, "503.html", status=503)

    return guarded


def needed_for(request: ConsoleRequest) -> Role | None:
    """The role that a request needs; None: its method is not answered at its address."""
    match = request.resolver_match
    needs = NEEDS[(match.url_name if match else None) or ""]
    return needs.get if request.method in ("GET", "HEAD") else needs.post


def refusal(request: ConsoleRequest, message: str) -> HttpResponse:
    """403: alone for htmx, as a page otherwise."""
    if request.htmx:
        return HttpResponse(message, status=403, content_type="text/plain")
    return render(request, "403.html", {"message": message}, status=403)


def seat_of(user: User | AnonymousUser, session: Mapping[str, Any]) -> Seat | None:
    """Where a session's user works: the project chosen in it if they may see that, else the
    oldest that they may. Staff find one even if there is none yet. None: nowhere."""
    if not isinstance(user, User) or not user.is_active:
        return None
    mine = projects_of(user)
    chosen = session.get(PROJECT)
    project = (mine.filter(id=chosen).first() if chosen else None) or mine.first()
    if project is None:
        return Seat(default_project(), Role.INSTANCE, user_id=user.pk) if user.is_staff else None
    role = role_in(project, user)
    return Seat(project, role, user_id=user.pk) if role is not None else None


def form_of(name: str, *arguments: str) -> Callable[[View[P]], View[P]]:
    """Take what a form posts that stands on the page ``name``; send a GET to that page.

    A refused form is shown at its own address. Reloading it there, choosing a theme, and coming
    back from the sign-in page all ask for that address with GET. ``arguments`` are the parts of
    the address that the page has as well.
    """

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def guarded(request: ConsoleRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            shared = {argument: kwargs[argument] for argument in arguments}
            return HttpResponseRedirect(reverse(f"console:{name}", kwargs=shared))

        return cast(View[P], require_http_methods(["GET", "HEAD", "POST"])(guarded))

    return decorate


def with_id(rows: QuerySet[M], object_id: str) -> QuerySet[M]:
    """The row of this id. PostgreSQL refuses to look for an id with a NUL in it."""
    return rows.none() if "\0" in object_id else rows.filter(id=object_id)


def find(rows: QuerySet[M], kind: str, object_id: str) -> M:
    """The row of this id among ``rows``, which are a project's.

    Raises:
        Http404: there is none; one of another project is told alike.
    """
    row = with_id(rows, object_id).first()
    if row is None:
        raise Http404(f"No {kind} with this id in this project. It may have been deleted.")
    return row


def page(
    request: ConsoleRequest,
    project: Project,
    template: str,
    context: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a page of the console with what its frame shows."""
    frame = {
        "project": project,
        "role": request.role,
        "now": timezone.now(),
        "zone": timezone.get_current_timezone_name(),
        "attention": attention(project),
        "unattended": engines.current().unattended,
    }
    return render(request, template, frame | (context or {}), status=status)


def base_url(request: HttpRequest) -> str:
    """What a client of the API sets as its base URL to reach this server."""
    return absolute(request, "/v1")
