"""One live server with a scripted upstream for all SDK tests, and a client as users make it."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.live import LiveServer
from tests.serving import serving
from tests.upstream import Upstream

#: These run in a pytest of their own: see test_python_ages.py.
collect_ignore = ["scenarios"]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """The model behind the live server: the name of the model scripts its answers."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def live(upstream: Upstream) -> Iterator[LiveServer]:
    """A server process that all these tests share."""
    with serving(RUNSITE_UPSTREAM_URL=upstream.url) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[OpenAI]:
    """The client of a user who moved here: nothing but the address and the key is ours."""
    with OpenAI(base_url=live.base_url, api_key=live.key) as client:
        yield client
