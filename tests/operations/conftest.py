"""What the tests of operations share."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from runs import operations
from runs.models import Thread
from tests.factories import make_assistant, make_thread


class Race:
    """Does things in threads of their own, begun at the same moment."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.faults: list[Exception] = []

    def run(self, *works: Callable[[], Any]) -> "Race":
        barrier = threading.Barrier(len(works))

        def do(work: Callable[[], Any]) -> None:
            try:
                barrier.wait(10)
                self.results.append(work())
            except Exception as fault:
                self.faults.append(fault)
            finally:
                connection.close()

        threads = [threading.Thread(target=do, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self


@pytest.fixture
def race():
    """``race(work, work, ...)`` does them at once; see its ``results`` and ``faults``."""
    return lambda *works: Race().run(*works)


@pytest.fixture
def thread():
    """An empty thread."""
    return make_thread()


@pytest.fixture
def create(thread):
    """Create a run on the thread, by default in line if it is busy."""
    assistant = make_assistant(thread.project)

    def create(policy="queue", **fields):
        fields = {"assistant_id": assistant.id, "on_active_run": policy} | fields
        return operations.create_run(Thread.objects.get(id=thread.id), fields)

    return create
