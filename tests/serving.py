"""A server for tests that do not care how it executes runs: in its own process, or by a worker."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.chaos.cluster import Cluster
from tests.chaos.services import Postgres
from tests.live import LiveServer, migrate


@contextmanager
def serving(**settings: str) -> Iterator[LiveServer]:
    """A server that is ready. With RUNSITE_TEST_SCALED it is a web process beside a worker, on a
    PostgreSQL and a Redis of their own."""
    with ExitStack() as stack:
        if not os.environ.get("RUNSITE_TEST_SCALED"):
            yield stack.enter_context(LiveServer(**settings))
            return
        postgres = stack.enter_context(Postgres())
        migrate(postgres.url)
        given = {"RUNSITE_LEASE_SECONDS": "5", **settings}
        yield Cluster(stack, postgres, postgres.copy(), webs=1, workers=1, **given).webs[0]
