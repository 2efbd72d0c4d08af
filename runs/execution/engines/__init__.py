"""What makes a run be worked on. One engine per process, chosen by ``RUNSITE_ENGINE``."""

import functools

from runs.execution.engines.base import Engine


@functools.cache
def current() -> Engine:
    """The engine of this process."""
    # Not above: an engine drives runs, and the end of a run kicks the next one in its line.
    from runs.execution.engines.local import LocalEngine  # noqa: PLC0415

    return LocalEngine()
