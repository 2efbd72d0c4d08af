"""What makes a run be worked on. One engine per process, chosen by ``RUNSITE_ENGINE``."""

import functools

from django.conf import settings

from runs.execution.engines.base import Engine


@functools.cache
def current() -> Engine:
    """The engine of this process."""
    # Not above: an engine drives runs, and the end of a run kicks the next one in its line.
    if settings.RUNSITE_ENGINE == "procrastinate":
        from runs.execution.engines.procrastinate import ProcrastinateEngine  # noqa: PLC0415

        return ProcrastinateEngine()
    from runs.execution.engines.local import LocalEngine  # noqa: PLC0415

    return LocalEngine()
