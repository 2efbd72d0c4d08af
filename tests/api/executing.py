"""Runs that are really executed, on the test's own loop, by the built-in demo model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runs.execution import engines
from runs.execution.upstreams import Upstreams
from runs.providers.base import Provider
from runs.providers.demo import MODEL, Demo

__all__ = ["MODEL", "executing"]


@asynccontextmanager
async def executing(default: Provider | None = None) -> AsyncIterator[None]:
    """The engine of this process at work inside the block; models go to ``default``."""
    engine = engines.current()
    await engine.start(Upstreams(default or Demo(), Demo()))
    try:
        yield
    finally:
        await engine.stop(0)
