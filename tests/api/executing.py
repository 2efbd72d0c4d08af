"""Runs that are really executed, on the test's own loop, by the engine of the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings
from django.db import connection

from runs.execution import engines
from runs.execution.upstreams import Upstreams
from runs.models.database import in_database
from runs.providers.base import Provider
from runs.providers.demo import MODEL, Demo

__all__ = ["MODEL", "executing"]


@asynccontextmanager
async def executing(default: Provider | None = None) -> AsyncIterator[None]:
    """The engine of this process at work inside the block; models go to ``default``."""
    engine = engines.current()
    await in_database(forget_jobs)
    await engine.work(Upstreams(default or Demo(), Demo()))
    try:
        yield
    finally:
        await engine.stop(0)


def forget_jobs() -> None:
    """Forget the hints about runs of earlier tests: their tables are emptied, this one is not."""
    if settings.RUNSITE_ENGINE == "procrastinate":
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")
