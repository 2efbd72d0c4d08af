"""What the tables have in common."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from django.db import models

from runs.contract.ids import new_id

M = TypeVar("M", bound=models.Model)


def id_column(prefix: str) -> "models.CharField[str, str]":
    """The object's id on the wire. Foreign keys point at it."""
    make: Callable[[], str] = partial(new_id, prefix)
    return models.CharField(max_length=64, unique=True, editable=False, default=make)


def reference(to: str, **options: Any) -> "models.ForeignKey[Any, Any]":
    """A foreign key to another object's text id; goes when that goes."""
    options.setdefault("on_delete", models.CASCADE)
    return models.ForeignKey(to, to_field="id", **options)


class Spelled(models.Value):
    """A word of ours that stands in the statement itself, not beside it as a parameter."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        """The word in quotes."""
        if not str(self.value).isidentifier():
            raise ValueError(f"{self.value!r} needs a parameter")
        return f"'{self.value}'", ()


def spelled(words: Iterable[str]) -> list[Spelled]:
    """``words`` for a filter by a partial index. SQLite uses one only if it can read in the
    statement that its condition holds: the same words in the same order."""
    return [Spelled(str(word)) for word in words]


class ProjectQuerySet(models.QuerySet[M]):
    """Rows that belong to a project. The only way by which doors reach rows."""

    #: The path from a row to its project's id.
    project_path = "project_id"

    def for_project(self, project: models.Model) -> "ProjectQuerySet[M]":
        """The rows of ``project``."""
        return self.filter(**{self.project_path: project.id})  # type: ignore[attr-defined]
