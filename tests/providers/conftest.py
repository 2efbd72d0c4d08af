"""What the tests of the providers share."""

from collections.abc import AsyncIterator

import pytest

from runs.providers.openai_compatible import OpenAICompatible
from tests.upstream import Upstream, upstream_fixture

__all__ = ["upstream_fixture"]

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
async def provider(upstream: Upstream) -> AsyncIterator[OpenAICompatible]:
    provider = OpenAICompatible(upstream.url, KEY)
    yield provider
    await provider.aclose()


@pytest.fixture
async def impatient(upstream: Upstream) -> AsyncIterator[OpenAICompatible]:
    """A provider that waits for 50 ms only."""
    provider = OpenAICompatible(upstream.url, KEY, read_seconds=0.05)
    yield provider
    await provider.aclose()
