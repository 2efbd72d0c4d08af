"""Two programs of two projects."""

import pytest

from tests.api.client import Api
from tests.factories import make_project
from tests.upstream import upstream_fixture

__all__ = ["upstream_fixture"]


@pytest.fixture
def api(transactional_db) -> Api:
    """A program with a key. Views that wait read on other connections: rows are committed."""
    return Api(make_project())


@pytest.fixture
def stranger(transactional_db) -> Api:
    """A program of another project."""
    return Api(make_project())
