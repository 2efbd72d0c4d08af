"""A Redis and a PostgreSQL of the tests' own, which they may stop and start."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Self

import psycopg

from tests.live import free_port

START_SECONDS = 30.0
STOP_SECONDS = 30.0


class Service:
    """A server process on a free port of loopback, with its files in a folder of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"runsite-{type(self).__name__.lower()}-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.user: str | None = None  # whom it runs as; None: as we do
        atexit.register(self.close)

    def command(self) -> list[str]:
        """What is started."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it serves now."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> Self:
        """Start it, if it does not run, and wait until it answers.

        A frozen one does not answer: ``resume`` it.
        """
        if not self.running:
            with (self.folder / "service.log").open("ab") as log:
                self.process = subprocess.Popen(
                    self.command(),
                    cwd=self.folder,
                    user=self.user,
                    group=self.user,
                    extra_groups=[] if self.user else None,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            log = (self.folder / "service.log").read_text()
            assert self.running, log
            assert time.monotonic() < deadline, log
            time.sleep(0.02)
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it with a signal and wait for its end; its data stay."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(STOP_SECONDS)

    def pause(self) -> None:
        """Keep it from answering, with all its connections open."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it for good and delete its files."""
        if self.running:
            self.resume()
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exception: object) -> None:
        self.close()


class Redis(Service):
    """A Redis that forgets all when it ends."""

    @property
    def url(self) -> str:
        """For ``REDIS_URL``."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """A server that writes no file."""
        options = {"bind": "127.0.0.1", "port": str(self.port), "save": "", "appendonly": "no"}
        pairs = [word for name, value in options.items() for word in (f"--{name}", value)]
        return ["redis-server", *pairs]

    def answers(self) -> bool:
        """Whether it answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def close(self) -> None:
        """SIGQUIT means nothing to Redis."""
        if self.running:
            self.resume()
            self.stop(signal.SIGKILL)
        super().close()


class Postgres(Service):
    """A PostgreSQL cluster. It runs as ``postgres`` where we are root, which it refuses to be."""

    def __init__(self) -> None:
        super().__init__()
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user, self.user)
        initialise = [self.program("initdb"), "--pgdata=data", "--username=runsite", "--auth=trust"]
        subprocess.run(
            [*initialise, "--encoding=UTF8", "--locale=C", "--no-sync"],
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            capture_output=True,
            check=True,
        )

    @staticmethod
    def program(name: str) -> str:
        """The path of a program of the newest PostgreSQL that is installed."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=version)
        return str(found[-1]) if found else name

    @property
    def url(self) -> str:
        """The address of its database ``postgres``."""
        return f"postgresql://runsite@127.0.0.1:{self.port}/postgres"

    def copy(self) -> str:
        """The address of a new database, a copy of ``postgres``."""
        name = f"copy_{uuid.uuid4().hex[:12]}"
        template1 = self.url.rpartition("/")[0] + "/template1"  # the copied one must have no user
        with psycopg.connect(template1, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE postgres".encode())
        return self.url.rpartition("/")[0] + f"/{name}"

    def command(self) -> list[str]:
        """It need not survive the machine, only its own end."""
        settings = ["-c", "fsync=off", "-c", "max_connections=300"]
        settings += ["-c", f"unix_socket_directories={self.folder}"]
        where = ["-D", "data", "-p", str(self.port), "-h", "127.0.0.1"]
        return [self.program("postgres"), *where, *settings]

    def answers(self) -> bool:
        """Whether a client can connect."""
        try:
            address = self.url.rpartition("/")[0] + "/template1"
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def version(program: Path) -> int:
    """The version in the path of a PostgreSQL program."""
    return int(program.parent.parent.name)
