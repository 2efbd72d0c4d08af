"""Start web processes and workers on this machine, as they run on several.

    python3 tools/run_scaled.py [--web N] [--workers N]     # what `make run-scaled` does

Needs PostgreSQL and Redis: DATABASE_URL and REDIS_URL say where. Nothing is restarted: when one
process ends, all end. Standard library only; it runs before anything is installed.

Not honcho: it kills five seconds after the first process has ended, and turns may take longer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import bootstrap

DATABASE = "postgresql://runsite:runsite@127.0.0.1:5432/runsite"
REDIS = "redis://127.0.0.1:6379/0"
COLLECT = "from runsite import static; static.collect()"  # now: two at once would collide
#: Programs that fail if the service does not answer, with the reason in their last line.
PROBES = {
    "PostgreSQL": (
        "DATABASE_URL",
        "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL'], connect_timeout=5)",
    ),
    "Redis": (
        "REDIS_URL",
        "import os, redis; redis.from_url(os.environ['REDIS_URL'], socket_timeout=5,"
        " socket_connect_timeout=5).ping()",
    ),
}
#: The last of what a web process and a worker say when they are ready.
READY = re.compile(r"  Model  |The worker is ready\.")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FINISH_SECONDS = 20  # that a process may need besides the drain
WORDS = re.compile(r"^  (Console|Base URL|API key) +(\S.*)$")


class Child:
    """One process, and what it has said."""

    def __init__(
        self,
        name: str,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        happened: queue.SimpleQueue[Child | int],
    ):
        self.name = name
        self.happened = happened
        self.told: dict[str, str] = {}
        self.ready = False
        self.process = subprocess.Popen(
            [bootstrap.PYTHON, "manage.py", *arguments],
            cwd=bootstrap.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours to pass on, once
        )
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Print its lines with its name before each; notice when it is ready, and its end."""
        for line in self.process.stdout or ():
            with contextlib.suppress(OSError):  # nobody reads us any more: it shall not block
                bootstrap.say(f"{self.name:<9}| {line.rstrip()}")
            if found := WORDS.match(line):
                self.told[found[1]] = found[2]
            if READY.match(line):
                self.ready = True
                self.happened.put(self)
        self.process.wait()
        self.happened.put(self)

    def signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)


class Fleet:
    """All processes, from the first start to the last end."""

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        self.children: list[Child] = []
        #: A child that became ready or ended, or a signal's number. Simple: a signal may come in
        #: the midst of a put.
        self.happened: queue.SimpleQueue[Child | int] = queue.SimpleQueue()
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, _: self.happened.put(number))

    def start(self, name: str, *arguments: str, **more: str) -> None:
        """Start one process."""
        child = Child(name, arguments, {**self.environment, **more}, self.happened)
        self.children.append(child)

    def run_until_ready(self) -> bool:
        """Wait for all that were started; whether they are ready, and nobody wants an end."""
        while not all(child.ready for child in self.children):
            if not self.goes_on(self.happened.get()):
                return False
        return True

    def run(self) -> None:
        """Wait for the end of one, or a signal."""
        while self.goes_on(self.happened.get()):
            pass

    def goes_on(self, what: Child | int) -> bool:
        """Whether this is no reason to end."""
        if isinstance(what, Child) and what.process.poll() is None:
            return True
        self.happened.put(what)  # for the one that ends all
        return False

    def end(self, drain: int) -> int:
        """Stop all; the exit code."""
        what = self.happened.get()
        if isinstance(what, Child):
            code = what.process.returncode
            bootstrap.say(f"{what.name} ended ({in_words(code)}); stopping the others.")
            failed = code if code > 0 else 1
        else:
            bootstrap.say(f"Stopping all; running turns get {drain} s. Again: at once.")
            failed = 0
        self.tell_all(signal.SIGTERM)
        deadline = time.monotonic() + drain + FINISH_SECONDS
        while any(child.process.poll() is None for child in self.children):
            try:
                again = self.happened.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                bootstrap.say("Some did not end in time; killing them.")
                self.tell_all(signal.SIGKILL)
                deadline += FINISH_SECONDS
                continue
            if not isinstance(again, Child):
                self.tell_all(signal.SIGTERM)
        worst = [child for child in self.children if child.process.returncode]
        return failed or (1 if worst else 0)

    def tell_all(self, number: int) -> None:
        """Send a signal to all that live."""
        for child in self.children:
            child.signal(number)


def in_words(code: int) -> str:
    """How a process ended."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def settings() -> dict[str, str]:
    """The environment of all processes: this one's, with defaults for where the services are."""
    environment = {
        **os.environ,
        "RUNSITE_ENGINE": "procrastinate",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": bootstrap.setting("DATABASE_URL", DATABASE),
        "REDIS_URL": bootstrap.setting("REDIS_URL", REDIS),
    }
    for name in ("DATABASE_URL", "REDIS_URL", "RUNSITE_PORT"):
        environment.pop(f"{name}_FILE", None)
    return environment


def check_services(environment: dict[str, str]) -> None:
    """Refuse to go on without PostgreSQL or Redis, in one sentence."""
    for name, (variable, program) in PROBES.items():
        where = urlsplit(environment[variable])
        probe = subprocess.run(
            [bootstrap.PYTHON, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if probe.returncode:
            said = re.findall(r"^[\w.]+(?:Error|Exception)?: (.+)$", probe.stderr, re.MULTILINE)
            address = f"{where.hostname}:{where.port or 'its usual port'}{where.path}"
            bootstrap.fail(
                f"{name} does not answer at {address} ({said[-1] if said else 'no reason given'}):"
                f" start it, or say in {variable} where another one is."
            )


def prepare(environment: dict[str, str]) -> None:
    """Install, look for the services, migrate, collect the static files."""
    names = ["base", "scaled"]
    if not bootstrap.setting("RUNSITE_UPSTREAM_URL"):
        names.append("local-model")
    bootstrap.install(names)
    if "local-model" in names:
        bootstrap.tell_about_the_model()
    check_services(environment)
    for command in (["migrate", "--verbosity=0"], ["shell", "--no-imports", "-c", COLLECT]):
        done = subprocess.call(
            [bootstrap.PYTHON, "manage.py", *command], env=environment, cwd=bootstrap.ROOT
        )
        if done:
            sys.exit(done)


def welcome(fleet: Fleet) -> None:
    """What a person needs, once all are ready."""
    webs = [child for child in fleet.children if child.told]
    told = webs[0].told
    bootstrap.say(
        f"\nRunsite is ready: {count(len(webs), 'web process', 'es')} and "
        f"{count(len(fleet.children) - len(webs), 'worker', 's')}. Ctrl-C stops all."
    )
    bootstrap.say(f"  Console    {told['Console']}")
    for web in webs:
        bootstrap.say(f"  Base URL   {web.told['Base URL']}")
    bootstrap.say(f"  API key    {told['API key']}\n")


def count(number: int, what: str, ending: str) -> str:
    """A number of things in words."""
    return f"{number} {what}{'' if number == 1 else ending}"


def how_many(text: str) -> int:
    """One or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def main() -> None:
    """Start all, the first web process before the others: it may have a key to make."""
    bootstrap.check_python()
    parser = argparse.ArgumentParser(description="Start web processes and workers.")
    parser.add_argument("--web", type=how_many, default=2, metavar="N", help="web processes")
    parser.add_argument("--workers", type=how_many, default=2, metavar="N", help="workers")
    arguments = parser.parse_args()
    bootstrap.check_port()  # also that it is a number
    first_port = int(bootstrap.setting("RUNSITE_PORT", "8000"))
    for i in range(1, arguments.web):
        bootstrap.check_port(first_port + i)
    environment = settings()
    prepare(environment)
    fleet = Fleet(environment)
    fleet.start("web.1", "serve", RUNSITE_PORT=str(first_port))
    for i in range(arguments.workers):
        fleet.start(f"worker.{i + 1}", "worker")
    if fleet.run_until_ready():
        for i in range(1, arguments.web):
            fleet.start(f"web.{i + 1}", "serve", RUNSITE_PORT=str(first_port + i))
        if fleet.run_until_ready():
            welcome(fleet)
            fleet.run()
    sys.exit(fleet.end(int(bootstrap.setting("RUNSITE_DRAIN_SECONDS", "10"))))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
