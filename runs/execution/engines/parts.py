"""What both engines are made of."""

from collections.abc import Awaitable, Callable
from functools import partial

from django.db import transaction

from runs.events.relay import relay
from runs.execution.engines.executor import Executor
from runs.execution.engines.watch import Watch
from runs.execution.watchdog import Findings
from runs.execution.worker import Worker


class Parts:
    """An executor, where runs are executed in this process, and a watchdog."""

    def __init__(self) -> None:
        self.executor: Executor | None = None
        self.watch: Watch | None = None

    @property
    def running(self) -> bool:
        """Whether this process's parts are alive."""
        parts = (self.watch, self.executor)
        return self.watch is not None and all(part.alive for part in parts if part)

    def signal_cancel(self, run_id: str) -> None:
        """Have the run's driver look at its row once the transaction is committed."""
        transaction.on_commit(partial(self.stop_run, run_id))

    def stop_run(self, run_id: str) -> None:
        """Have the run's driver, here or elsewhere, look at its row. From any thread."""
        if executor := self.executor:
            executor.call(executor.stop_run, run_id)
        relay.stop_run(run_id)

    async def begin(
        self,
        hint: Callable[[Findings], Awaitable[None]],
        worker: Worker,
        before: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Begin to execute, first of all what an earlier process left."""
        executor = Executor(worker)
        await executor.start()  # if it fails, there is none: the next start tries anew
        self.executor = executor
        relay.on_stop = executor.stop_run
        self.watch = Watch(hint, self.stop_run, before=before)
