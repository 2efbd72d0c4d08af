"""Servers with a scripted upstream, and their API."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.live import LiveServer
from tests.process.client import Api
from tests.upstream import Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """The model behind the servers of a module."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def shared(upstream: Upstream) -> Iterator[LiveServer]:
    """One server for the tests of a module that leave it running."""
    with LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        yield server


@pytest.fixture
async def api(shared: LiveServer) -> AsyncIterator[Api]:
    """The API of the shared server."""
    async with Api(shared) as api:
        yield api


@pytest.fixture
async def mortal(
    start_server: Callable[..., LiveServer], upstream: Upstream
) -> AsyncIterator[Callable[..., Api]]:
    """Start servers that a test may kill: ``mortal(RUNSITE_X="...")`` is the API of a new one."""
    apis: list[Api] = []

    def start(**settings: str) -> Api:
        given = {"RUNSITE_UPSTREAM_URL": upstream.url, "RUNSITE_LEASE_SECONDS": "2", **settings}
        apis.append(Api(start_server(**given)))
        return apis[-1]

    yield start
    for api in apis:
        await api.http.aclose()
