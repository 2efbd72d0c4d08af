"""What the tests of events share."""

import pytest

from runs.events import hub


@pytest.fixture
def quick_looks(monkeypatch):
    """Readers look into the log often, also where nobody tells them of news."""
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.02)
