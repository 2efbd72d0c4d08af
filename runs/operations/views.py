"""Operations on saved views of the list of runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runs.contract.errors import BadRequest, NotFound
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
    with naming(name):
        return SavedView.objects.create(project=project, user=user, name=name, query=query)


def rename_view(view: SavedView, name: str) -> None:
    """Call a view otherwise.

    Raises:
        BadRequest: as for a new one.
        NotFound: it was deleted meanwhile.
    """
    name = possible(name)
    with naming(name):
        if not SavedView.objects.filter(number=view.number).update(name=name):
            raise NotFound("view", str(view.number))
    view.name = name


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


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Around what writes a view's name.

    Raises:
        BadRequest: it is taken.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as conflict:
        raise BadRequest(f"There is a view “{name}” already.") from conflict
