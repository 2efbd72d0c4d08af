"""One serving process per PostgreSQL database, where there is no Redis between several."""

import logging
import threading

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error, OperationalError, connection

logger = logging.getLogger(__name__)

LOCK = 7_218_091_342  # of this purpose, in each database of its own
WAIT_SECONDS = 3  # for a process that is being replaced
LOOK_SECONDS = 5.0  # between two looks whether the connection lives
LOCK_NOT_AVAILABLE = "55P03"

#: The lock ends with its connection. By the keepalives the server notices an end that nobody told
#: it of, such as that of a machine: else it would refuse us for hours.
TAKE = f"""
    SET lock_timeout = '{WAIT_SECONDS}s';
    SET tcp_keepalives_idle = 15;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SELECT pg_advisory_lock({LOCK})
"""

REFUSAL = (
    "Another process serves this database, and without Redis neither would hear what happens in "
    "the other: set REDIS_URL=redis://host:6379/0 for all of them, or stop the other one."
)


class Alone:
    """Keeps other serving processes from the database from ``take`` to ``close``; however the
    process ends, the database notices."""

    def __init__(self) -> None:
        self.connection = connection.copy()
        self.connection.settings_dict["OPTIONS"].pop("pool", None)  # calls shall have all of that
        self.connection.inc_thread_sharing()
        self.closed = threading.Event()

    def take(self) -> None:
        """Take the lock.

        Raises:
            OperationalError: another one has it (see ``is_taken``), or the database is away.
        """
        with self.connection.cursor() as cursor:
            cursor.execute(TAKE)

    def keep(self) -> None:
        """Take the lock again whenever its connection is lost, as by a restart of the database.

        Who starts in between gets it; then each of the two says so in its own way.
        """
        held, told = True, False
        while not self.closed.wait(LOOK_SECONDS):
            try:
                if held:
                    with self.connection.cursor() as cursor:
                        cursor.execute("SELECT 1")
                else:
                    self.take()
                    logger.warning("other servers are kept from the database again")
                held, told = True, False
            except Error as fault:
                if held and not self.closed.is_set():
                    logger.warning("the connection that keeps other servers away was lost")
                elif is_taken(fault) and not told:
                    logger.error(REFUSAL)
                    told = True
                held = False
                self.connection.close()

    def close(self) -> None:
        """Let others have the database."""
        self.closed.set()
        self.connection.close()


def is_taken(fault: Error) -> bool:
    """Whether taking the lock failed because another process has it."""
    return getattr(fault.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE


def stay_alone() -> Alone | None:
    """Keep other serving processes without ``REDIS_URL`` from the database.

    Returns: what keeps them away, to be closed when the process ends. None where several may be:
        they have Redis, or the database is SQLite's, which is of one machine.

    Raises:
        CommandError: there is another one.
    """
    if settings.REDIS_URL or connection.vendor != "postgresql":
        return None
    alone = Alone()
    try:
        alone.take()
    except OperationalError as error:
        alone.close()
        if is_taken(error):
            raise CommandError(REFUSAL) from None
        raise CommandError(f"The database cannot be reached: {error}".strip()) from None
    threading.Thread(target=alone.keep, name="alone", daemon=True).start()
    return alone
