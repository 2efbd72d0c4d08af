"""What the tests of execution share."""

import pytest

from runs.events import hub
from runs.execution import drive, watchdog
from tests.execution.scene import Scene
from tests.factories import make_thread
from tests.upstream import upstream_fixture

__all__ = ["upstream_fixture"]


@pytest.fixture
def scene(upstream, transactional_db, monkeypatch):
    """A thread, an assistant, and a scripted model; what repeats repeats quickly."""
    monkeypatch.setattr(drive, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(watchdog, "SECONDS", 0.02)
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.1)
    return Scene(upstream)


@pytest.fixture
def thread():
    """An empty thread."""
    return make_thread()
