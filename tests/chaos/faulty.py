"""A management command in a process whose surroundings are at fault.

``python -m tests.chaos.faulty COMMAND`` runs ``manage.py COMMAND``, with

* ``CLOCK_OFF_BY``: the machine's clock is wrong by so many seconds;
* ``BLOCKED_SECONDS``: on SIGUSR2 the main thread, in which the event loop runs, stands still
  for so long, while the other threads go on.
"""

import os
import signal
import sys
import time

import time_machine
from django.core.management import execute_from_command_line


def main() -> None:
    """Break what was asked for, and run the command."""
    blocked = float(os.environ.get("BLOCKED_SECONDS", "0"))
    signal.signal(signal.SIGUSR2, lambda *_: time.sleep(blocked))
    wrong = float(os.environ.get("CLOCK_OFF_BY", "0"))
    if wrong:
        time_machine.travel(time.time() + wrong, tick=True).start()
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
