"""Sites to break: real processes, a scripted model, services that a test may stop.

What a test does to its site is done from outside: signals, stopped services, cut connections,
locks held on the database. Afterwards the site is made whole again for the next one.

The failures that Runsite must outlive, by the numbers with which many docstrings begin:

=====  =======================================  ==========================================
8.1    worker killed before the first delta     test_takeover
8.2    worker killed in mid-text                test_takeover; tests/process/test_kill
8.3    killed before the turn's commit          test_takeover; tests/process/test_kill
8.4    killed before the job is acknowledged    test_takeover
8.5    web killed after the commit of a create  test_creating; tests/process/test_retries
8.6    web killed before that commit            test_creating
8.7    job and run rolled back together         test_creating
8.8    worker frozen, or cut off, and back      test_takeover
8.9    fifty jobs for one run                   test_creating
8.10   fifty creates on one thread              test_creating; tests/process/test_retries
8.11   twenty equal submissions                 test_submitting; tests/process/test_retries
8.12   submit against cancel and expiry         test_submitting
8.13   cancel through another process           test_cancelling; tests/process/test_cancel
8.14   cancel without Redis                     test_cancelling
8.15   cancel, and the worker is killed         test_takeover; tests/process/test_kill
8.16   Redis restarted                          test_services
8.17   PostgreSQL restarted                     test_services
8.18   live messages lost                       test_lost_messages; tests/events/test_hub
8.19   reader comes back a hundred times         test_readers_far
8.20   reader comes after the end                test_readers_far
8.21   reader that takes nothing                 test_overload; tests/process/test_stalled
8.22   client leaves its create                  test_readers_far
8.23   a run's time is up                        test_expiry
8.24   silent model                              test_upstream_faults
8.25   model breaks off, or answers nonsense     test_upstream_faults
8.26   event loop blocked                        test_clocks
8.27   run that kills its workers                test_poison
8.28   worker told to stop                       test_drain
8.29   no room, or SQLite locked                 test_no_room
8.30   no connection to spare                    test_overload; tests/process/test_pool
8.31   two servers on one SQLite file            test_two_on_one_file
8.32   wrong clocks                              test_clocks
8.33   killed while taking over                  test_upgrade
8.34   old and new version side by side          test_upgrade; tests/process/test_deploy_upgrade
8.35   thread or assistant deleted               test_deletion
=====  =======================================  ==========================================
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.cluster import Cluster, Embedded, Site
from tests.chaos.services import Postgres
from tests.live import migrate
from tests.upstream import Upstream


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)


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


@pytest.fixture
async def start_embedded(upstream: Upstream) -> AsyncIterator[Callable[..., Embedded]]:
    """Servers that do it all, for one test alone: ``start_embedded(RUNSITE_X="...")``."""
    started: list[Embedded] = []
    with ExitStack() as stack:

        def start(**settings: str) -> Embedded:
            started.append(Embedded(stack, RUNSITE_UPSTREAM_URL=upstream.url, **settings))
            return started[-1]

        yield start
        for server in started:
            for api in server.apis.values():
                await api.http.aclose()
