"""The engine that executes runs in the serving process, as tasks on the server's loop."""

from functools import partial

from django.conf import settings
from django.db import transaction

from runs.events.relay import relay
from runs.execution.engines.parts import Parts
from runs.execution.upstreams import Upstreams, upstreams
from runs.execution.watchdog import Findings
from runs.execution.worker import Worker


class LocalEngine(Parts):
    """Hints are calls into this process. What they miss, the watchdog finds."""

    executing = True
    unattended = False

    def kick(self, run_id: str) -> None:
        """Drive the run once the caller's transaction is committed."""
        transaction.on_commit(partial(self._spawn, run_id))

    def _spawn(self, run_id: str) -> None:
        if executor := self.executor:
            executor.call(executor.spawn, run_id)

    async def start(self, own: Upstreams | None = None) -> None:
        """Begin to execute on the running loop."""
        if self.executor is None:
            worker = Worker(own or upstreams(), settings.RUNSITE_LEASE_SECONDS)
            await self.begin(self._hint, worker)

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
        if executor := self.executor:
            executor.succeed(found)
            for run_id in found.forgotten:
                executor.spawn(run_id)
