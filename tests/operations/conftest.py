"""What the tests of operations share."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection


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
