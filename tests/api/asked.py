"""What tests of runs share: a thread with a question, and where its runs are."""

import pytest

from runs.models import Thread
from tests.api.client import Api
from tests.factories import make_message, make_thread


@pytest.fixture(name="thread")
def thread_fixture(api: Api) -> Thread:
    """A thread of the caller, with a question."""
    thread = make_thread(api.project)
    make_message(thread, "How is the weather?")
    return thread


@pytest.fixture(name="url")
def url_fixture(thread: Thread) -> str:
    """Where its runs are."""
    return f"/v1/threads/{thread.id}/runs"
