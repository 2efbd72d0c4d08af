"""The engine that executes runs in the serving process, as tasks on the server's loop."""

from functools import partial

from django.db import transaction

from runs.events.relay import relay
from runs.execution.engines.executor import Executor
from runs.execution.engines.watch import Watch
from runs.execution.upstreams import Upstreams
from runs.execution.watchdog import Findings


class LocalEngine:
    """Hints are calls into this process. What they miss, the watchdog finds."""

    executing = True
    unattended = False

    def __init__(self) -> None:
        self.executor: Executor | None = None
        self.watch: Watch | None = None

    @property
    def running(self) -> bool:
        """Whether this process's parts are alive."""
        executor, watch = self.executor, self.watch
        return executor is not None and executor.alive and watch is not None and watch.alive

    def kick(self, run_id: str) -> None:
        """Drive the run once the caller's transaction is committed."""
        transaction.on_commit(partial(self._spawn, run_id))

    def signal_cancel(self, run_id: str) -> None:
        """Have the run's driver look at its row once the transaction is committed."""
        transaction.on_commit(partial(self._stop_run, run_id))

    def _spawn(self, run_id: str) -> None:
        if executor := self.executor:
            executor.call(executor.spawn, run_id)

    def _stop_run(self, run_id: str) -> None:
        if executor := self.executor:
            executor.call(executor.stop_run, run_id)
        relay.stop_run(run_id)

    async def start(self, own: Upstreams | None = None) -> None:
        """Begin to execute on the running loop, first of all what an earlier process left."""
        if self.executor is not None:
            return
        self.executor = Executor(own)
        await self.executor.start()
        relay.on_stop = self.executor.stop_run
        self.watch = Watch(self._hint, self.executor.stop_run)

    work = start

    async def stop(self, grace: float) -> None:
        """Give running turns ``grace`` seconds, then release them for others."""
        executor, watch = self.executor, self.watch
        if executor is None or watch is None:
            return
        await watch.stop()
        await executor.stop(grace)
        relay.on_stop = None
        self.executor = self.watch = None

    async def _hint(self, found: Findings) -> None:
        for run_id in found.to_drive:
            self._spawn(run_id)
