"""What commands need of the database before they work on it."""

from django.core.management.base import CommandError
from django.db import DatabaseError

from runsite import health


def check_schema() -> None:
    """Refuse a database that cannot be reached, or that this version of the code does not fit.

    A command that was not given the server's variables finds such a one: an empty one.
    """
    try:
        problem = health.schema_problem()
    except DatabaseError as error:
        raise CommandError(f"The database cannot be reached: {error}".strip()) from None
    if problem:
        raise CommandError(problem)
