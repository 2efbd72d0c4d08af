"""Clients as users make them, and a report of what passed.

These files know the server only by its address and key. Run them against any server whose model
is the scripted upstream, with the Python of any age of the SDK::

    RUNSITE_BASE_URL=... RUNSITE_API_KEY=... python -m pytest -c tests/sdk/scenarios/pytest.ini
"""

import gc
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

OUTCOMES: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what became of each scenario: its call, or what kept it from being called."""
    if report.when == "call" or not report.passed:
        OUTCOMES[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write the report where the caller wants it."""
    if path := os.environ.get("RUNSITE_SCENARIOS_REPORT"):
        report = {"openai": openai.__version__, "outcomes": OUTCOMES}
        Path(path).write_text(json.dumps(report))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Let go of broken streams between scenarios. The httpcore of the first age locks itself
    up if the garbage collector closes one of them in the middle of the next request."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def base_url() -> str:
    """Where the server is."""
    return os.environ["RUNSITE_BASE_URL"]


@pytest.fixture(scope="session")
def api_key() -> str:
    """A key of the server."""
    return os.environ["RUNSITE_API_KEY"]


@pytest.fixture(scope="session")
def client(base_url: str, api_key: str) -> Iterator[OpenAI]:
    """The client of a user who moved here: nothing but the address and the key is ours."""
    with OpenAI(base_url=base_url, api_key=api_key) as client:
        yield client


@pytest.fixture(scope="session")
def other_client(base_url: str, api_key: str) -> Iterator[OpenAI]:
    """Another program of the same user, with connections of its own."""
    with OpenAI(base_url=base_url, api_key=api_key) as client:
        yield client


@pytest.fixture
async def async_client(base_url: str, api_key: str) -> AsyncIterator[AsyncOpenAI]:
    """The same, for asyncio."""
    async with AsyncOpenAI(base_url=base_url, api_key=api_key) as client:
        yield client


@pytest.fixture
def anyio_backend() -> str:
    """What async scenarios run on."""
    return "asyncio"
