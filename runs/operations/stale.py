"""What an operation does when the run moved between reading and writing it."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from runs.contract.errors import Busy, NotFound
from runs.events.log import StaleRun

M = TypeVar("M", bound=models.Model)
P = ParamSpec("P")
T = TypeVar("T")

TRIES = 3


def again_if_stale(
    operation: Callable[Concatenate[M, P], T],
) -> Callable[Concatenate[M, P], T]:
    """Reload the object and decide again, a few times; then say that the server is busy.

    Never 409: the SDKs repeat such a call by themselves.
    """

    @functools.wraps(operation)
    def deciding_again(row: M, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES):
            try:
                return operation(row, *args, **kwargs)
            except StaleRun:
                reload(row)
        raise Busy

    return deciding_again


def reload(row: models.Model) -> None:
    """Read the row again.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    try:
        row.refresh_from_db()
    except ObjectDoesNotExist as gone:
        raise NotFound(type(row).__name__.lower(), str(row)) from gone
