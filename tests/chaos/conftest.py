"""Sites to break: real processes, a scripted model, services that a test may stop.

What a test does to its site is done from outside: signals, stopped services, cut connections.
Afterwards the site is made whole again for the next one.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.chaos.cluster import Cluster, Embedded, Site, migrate
from tests.chaos.services import Postgres
from tests.upstream import Upstream


@pytest.fixture(scope="package")
def upstream() -> Iterator[Upstream]:
    """The model behind all sites."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="package")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL of all clusters. Its database ``postgres`` is migrated, to be copied."""
    with Postgres() as postgres:
        migrate(postgres.url)
        yield postgres


@pytest.fixture(scope="package")
def shared_cluster(upstream: Upstream, postgres: Postgres) -> Iterator[Cluster]:
    """Two web processes and two workers, for all tests that need no others."""
    with ExitStack() as stack:
        database = postgres.copy()
        yield Cluster(stack, postgres, database, RUNSITE_UPSTREAM_URL=upstream.url)


@pytest.fixture(scope="package")
def shared_embedded(upstream: Upstream) -> Iterator[Embedded]:
    """One process on SQLite, for all tests that need no other."""
    with ExitStack() as stack:
        yield Embedded(stack, RUNSITE_UPSTREAM_URL=upstream.url)


@pytest.fixture
async def cluster(shared_cluster: Cluster) -> AsyncIterator[Cluster]:
    """The shared cluster, whole at the beginning."""
    yield shared_cluster
    await shared_cluster.rest()


@pytest.fixture
async def embedded(shared_embedded: Embedded) -> AsyncIterator[Embedded]:
    """The shared server that does it all, alive at the beginning."""
    yield shared_embedded
    await shared_embedded.rest()


@pytest.fixture(params=["embedded", pytest.param("scaled", marks=pytest.mark.services)])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Either of both: for what must hold in both modes."""
    name = "shared_cluster" if request.param == "scaled" else "shared_embedded"
    found: Site = request.getfixturevalue(name)
    yield found
    await found.rest()


@pytest.fixture
async def start_cluster(
    upstream: Upstream, postgres: Postgres
) -> AsyncIterator[Callable[..., Cluster]]:
    """Clusters for one test alone: ``start_cluster(webs=1, RUNSITE_X="...")``."""
    started: list[Cluster] = []
    with ExitStack() as stack:

        def start(**given: Any) -> Cluster:
            settings = {"RUNSITE_UPSTREAM_URL": upstream.url, **given}
            started.append(Cluster(stack, postgres, postgres.copy(), **settings))
            return started[-1]

        yield start
        for cluster in started:
            for api in cluster.apis.values():
                await api.http.aclose()
