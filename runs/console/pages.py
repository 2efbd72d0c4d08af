"""What every page has in common: who may see it, its project, and how it is rendered."""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.db import OperationalError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from runs.contract.errors import Busy, NotFound
from runs.models import Project
from runs.models.columns import M
from runs.operations.access import default_project

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PROJECT = "project"  # session key: id of the chosen project


class ConsoleRequest(HttpRequest):
    """A request of the console, as the middleware leaves it."""

    htmx: HtmxDetails
    user: User | AnonymousUser


View = Callable[Concatenate[ConsoleRequest, P], HttpResponse]


def may_operate(user: User | AnonymousUser | None) -> bool:
    """Whether a user may use the console."""
    return user is not None and user.is_active and user.is_staff


def operator_only(view: Callable[Concatenate[ConsoleRequest, Project, P], HttpResponse]) -> View[P]:
    """Let only operators in, and hand the view the project they work in.

    A form that htmx sent is answered 401, which the page turns into a note and keeps what
    was typed; anything else goes to the sign-in page and back.
    """

    @functools.wraps(view)
    def guarded(request: ConsoleRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if may_operate(request.user):
            try:
                return view(request, current_project(request), *args, **kwargs)
            except NotFound as gone:  # deleted since the view found it
                raise Http404(gone.message) from gone
            except (Busy, OperationalError):
                logger.warning("the database could not take a form or page", exc_info=True)
                return render(request, "503.html", status=503)
        if request.htmx:
            return HttpResponse("Sign in again.", status=401, content_type="text/plain")
        return cast(HttpResponse, redirect_to_login(request.get_full_path()))

    return guarded


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


def current_project(request: ConsoleRequest) -> Project:
    """The project chosen in this session, else the oldest."""
    return project_of_session(request.session)


def project_of_session(session: Mapping[str, Any]) -> Project:
    """The project a session works in; the first one is made if there is none."""
    chosen = Project.objects.filter(id=session.get(PROJECT)).first()
    return chosen or Project.objects.first() or default_project()


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
    frame = {"project": project, "now": timezone.now()}
    return render(request, template, frame | (context or {}), status=status)


def base_url(request: HttpRequest) -> str:
    """What a client of the API sets as its base URL to reach this server."""
    return request.build_absolute_uri("/v1")
