"""What tests of streams without a model share: a thread, where a run is, short silences."""

import pytest

from runs.contract import limits
from runs.models import Run, Thread
from tests.api.client import Api
from tests.factories import make_thread

BEAT = 0.05  # seconds


@pytest.fixture(name="thread")
def thread_fixture(api: Api) -> Thread:
    """A thread of the caller."""
    return make_thread(api.project)


@pytest.fixture(name="short_beat")
def short_beat_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alives come quickly."""
    monkeypatch.setattr(limits, "KEEP_ALIVE_SECONDS", BEAT)


def url_of(run: Run) -> str:
    """Where a run is."""
    return f"/v1/threads/{run.thread_id}/runs/{run.id}"
