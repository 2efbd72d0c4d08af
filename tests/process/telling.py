"""A management command in a process that tells how many readers its hub has.

``python -m tests.process.telling COMMAND`` runs ``manage.py COMMAND``. On SIGUSR1 the number is
written into the file ``readers`` in its data directory.
"""

import os
import signal
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

from tests.live import LiveServer


class Telling(LiveServer):
    """A server that tells it."""

    command = (sys.executable, "-m", "tests.process.telling", "serve")

    @property
    def told(self) -> Path:
        """The file that it writes."""
        return self.data_dir / "readers"

    def ask(self) -> None:
        """Have it tell anew."""
        self.told.unlink(missing_ok=True)
        self.signal(signal.SIGUSR1)


def tell() -> None:
    """Write the number. Whole, or not at all."""
    from runs.events.hub import hub  # Django is set up by now

    # Without its lock, which the thread that was interrupted may hold.
    readers = sum(len(readers) for readers in tuple(hub._readers.values()))
    half = Path(os.environ["RUNSITE_DATA_DIR"], "readers.half")
    half.write_text(str(readers))
    half.replace(half.with_name("readers"))


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: tell())
    execute_from_command_line(["manage.py", *sys.argv[1:]])
