"""One serving process per PostgreSQL database, where there is no Redis between several."""

from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK = 7_218_091_342  # of this purpose, in each database of its own
WAIT_SECONDS = 3  # for a process that is being replaced
LOCK_NOT_AVAILABLE = "55P03"

REFUSAL = (
    "Another process serves this database, and without Redis neither would hear what happens in "
    "the other: set REDIS_URL=redis://host:6379/0 for all of them, or stop the other one."
)


def stay_alone() -> BaseDatabaseWrapper | None:
    """Keep other serving processes without ``REDIS_URL`` from the database.

    Returns: the connection that keeps them away, to be held for the life of the process; however
        that ends, the database notices. None where several may be: they have Redis, or the
        database is SQLite's, which is of one machine.

    Raises:
        CommandError: there is another one.
    """
    if settings.REDIS_URL or connection.vendor != "postgresql":
        return None
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)  # calls shall have all of that
    try:
        with own.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'; SELECT pg_advisory_lock({LOCK})")
    except OperationalError as error:
        own.close()
        if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise CommandError(REFUSAL) from None
        raise CommandError(f"The database cannot be reached: {error}".strip()) from None
    return own
