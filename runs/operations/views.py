"""Operations on saved views of the list of runs."""

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runs.contract.errors import BadRequest
from runs.models import Project, SavedView

NAME = 60  # characters
AT_MOST = 50  # views of one person in one project


def save_view(project: Project, user: User, name: str, query: str) -> SavedView:
    """Keep filters under a name.

    Raises:
        BadRequest: no such name is possible, it is taken, or there are too many.
    """
    name = possible(name)
    if SavedView.objects.for_project(project).filter(user=user).count() >= AT_MOST:
        raise BadRequest(f"There are {AT_MOST} views, as many as can be. Delete one first.")
    view = SavedView(project=project, user=user, name=name, query=query)
    store(view)
    return view


def rename_view(view: SavedView, name: str) -> None:
    """Call a view otherwise.

    Raises:
        BadRequest: as for a new one.
    """
    view.name = possible(name)
    store(view)


def delete_view(view: SavedView) -> None:
    """Forget a view."""
    view.delete()


def possible(name: str) -> str:
    """A name as it is stored.

    Raises:
        BadRequest: it is none.
    """
    name = name.strip()
    if not name or len(name) > NAME or not name.isprintable():
        raise BadRequest(f"A view needs a name of 1 to {NAME} characters that can be seen.")
    return name


def store(view: SavedView) -> None:
    """Write a view.

    Raises:
        BadRequest: its name is taken.
    """
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as conflict:
        raise BadRequest(f"There is a view “{view.name}” already.") from conflict
