"""``manage.py worker``: execute runs until told to stop."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from runs.execution import engines
from runs.management.schema import check_schema
from runsite import process

ALIVE_SECONDS = 1.0  # between two looks whether all parts live
#: In the data directory. Touched at each of those looks, for deploy/ready.py.
ALIVE = "worker-alive"


class Command(BaseCommand):
    """Execute runs. Never migrates."""

    help = "Execute runs (RUNSITE_ENGINE=procrastinate). Start as many as there is work for."
    requires_system_checks = ("runsite",)  # Django's own would load the pages and the API

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGTERM or SIGINT; exit code 0 after a clean stop."""
        if settings.RUNSITE_ENGINE == "local":
            raise CommandError(
                "With RUNSITE_ENGINE=local the serving process executes the runs itself. Workers "
                "need RUNSITE_ENGINE=procrastinate, PostgreSQL in DATABASE_URL, and REDIS_URL."
            )
        check_schema()
        connections.close_all()
        asyncio.run(self.work())
        self.tell("Stopped.")

    async def work(self) -> None:
        """Start, wait for the signal, drain."""
        asked = asyncio.Event()

        def stop() -> None:
            if asked.is_set():
                sys.stderr.write("Stopped at once.\n")
                sys.stderr.flush()
                os._exit(1)
            asked.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        alive = settings.RUNSITE_DATA_DIR / ALIVE
        with suppress(OSError):
            alive.unlink(missing_ok=True)  # of one that was killed: this one is not ready yet
        await process.current.work()
        self.tell("The worker is ready.")
        failed = False
        while not asked.is_set() and not failed:
            with suppress(OSError):  # a full disk: whoever looks will take it for dead, no run is
                alive.touch()
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await asked.wait()
            except TimeoutError:
                failed = not engines.current().running
        with suppress(OSError):
            alive.unlink(missing_ok=True)
        seconds = settings.RUNSITE_DRAIN_SECONDS
        self.tell(f"Stopping: running turns get {seconds} s; a second Ctrl-C stops at once.")
        await process.current.stop()
        if failed:
            raise CommandError("A part of the worker has died; the reason is above.")

    def tell(self, *lines: str) -> None:
        """Print at once, also into a pipe."""
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()
