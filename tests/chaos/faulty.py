"""A management command in a process whose surroundings are at fault, or that is looked into.

``python -m tests.chaos.faulty COMMAND`` runs ``manage.py COMMAND``, with

* ``CLOCK_OFF_BY``: the machine's clock is wrong by so many seconds;
* ``BLOCKED_SECONDS``: on SIGUSR2 the main thread, in which the event loop runs, stands still
  for so long, while the other threads go on;
* on SIGUSR1 the number of the loop's tasks is written into ``tasks`` in its data directory.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import time_machine
from django.core.management import execute_from_command_line


def main() -> None:
    """Break what was asked for, and run the command."""
    blocked = float(os.environ.get("BLOCKED_SECONDS", "0"))
    signal.signal(signal.SIGUSR2, lambda *_: time.sleep(blocked))
    signal.signal(signal.SIGUSR1, lambda *_: write_tasks())
    wrong = float(os.environ.get("CLOCK_OFF_BY", "0"))
    if wrong:
        time_machine.travel(time.time() + wrong, tick=True).start()
    execute_from_command_line(["manage.py", *sys.argv[1:]])


def write_tasks() -> None:
    """Write how many tasks the loop of the main thread has. Whole, or not at all."""
    half = Path(os.environ["RUNSITE_DATA_DIR"], "tasks.half")
    half.write_text(str(len(asyncio.all_tasks())))
    half.replace(half.with_name("tasks"))


if __name__ == "__main__":
    main()
