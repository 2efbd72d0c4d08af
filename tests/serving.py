"""A server for tests that do not care how it executes runs: in its own process, or by a worker."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.chaos.cluster import Cluster, migrated_database
from tests.live import LiveServer, postgres_database

POSTGRES = os.environ.get(
    "RUNSITE_TEST_POSTGRES", "postgresql://runsite:runsite@127.0.0.1:5432/runsite"
)


@contextmanager
def serving(**settings: str) -> Iterator[LiveServer]:
    """A server that is ready. With RUNSITE_TEST_SCALED it is a web process beside a worker, on
    PostgreSQL and Redis."""
    with ExitStack() as stack:
        if not os.environ.get("RUNSITE_TEST_SCALED"):
            yield stack.enter_context(LiveServer(**settings))
            return
        blank = stack.enter_context(migrated_database(POSTGRES))
        database = stack.enter_context(postgres_database(POSTGRES, blank))
        lease = {"RUNSITE_LEASE_SECONDS": "5"}
        yield Cluster(stack, database, webs=1, workers=1, **(lease | settings)).webs[0]
