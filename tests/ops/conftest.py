"""What the tests of served processes share."""

from collections.abc import Iterator

import pytest

from tests.live import LiveServer


@pytest.fixture(scope="module")
def shared() -> Iterator[LiveServer]:
    """A server for the tests that leave it as it was."""
    with LiveServer() as server:
        yield server
