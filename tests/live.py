"""Real servers: ``manage.py serve`` processes on loopback, each with its own data directory."""

import atexit
import contextlib
import functools
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx
import psycopg

ROOT = Path(__file__).resolve().parent.parent
KEY = "a-key-of-the-tests-0123456789abcdefghij"
NOBODY = "http://127.0.0.1:9/v1"  # an upstream that refuses connections
READY_SECONDS = 60.0  # a busy machine starts slowly
STOP_SECONDS = 30.0


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """The environment of a command: nothing of ours but what is given."""
    plain = {name: value for name, value in os.environ.items() if "RUNSITE" not in name}
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        plain.pop(name, None)
    given = {
        "DJANGO_SETTINGS_MODULE": "runsite.settings",
        "PYTHONUNBUFFERED": "1",
        "RUNSITE_DATA_DIR": str(data_dir),
        "RUNSITE_UPSTREAM_URL": NOBODY,
        **settings,
    }
    return {**plain, **{name: value for name, value in given.items() if value}}


def manage(*arguments: str, data_dir: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one management command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@functools.cache
def template() -> Path:
    """A data directory with a migrated SQLite file and the static files, made once."""
    folder = Path(tempfile.mkdtemp(prefix="runsite-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    collect = "from runsite import static; static.collect()"  # else each first start does it
    for command in (["migrate", "--verbosity=0"], ["shell", "--no-imports", "-c", collect]):
        done = manage(*command, data_dir=folder)
        assert done.returncode == 0, done.stderr
    return folder


class LiveServer:
    """One server process, and what a test does with it.

    ``settings`` are environment variables; an empty value removes one of the defaults
    (``RUNSITE_UPSTREAM_URL=""`` gives the local model, ``RUNSITE_API_KEY=""`` a key that
    the server makes). Use as a context manager, or call ``close`` at the end.
    """

    #: What is started; a subclass may serve with another program.
    command: tuple[str, ...] = (sys.executable, "manage.py", "serve")

    def __init__(self, data_dir: Path | None = None, **settings: str):
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="runsite-live-"))
        self.port = int(settings.pop("RUNSITE_PORT", "0")) or free_port()
        self.settings = {"RUNSITE_API_KEY": KEY, **settings, "RUNSITE_PORT": str(self.port)}
        self.key = self.settings["RUNSITE_API_KEY"]
        self.log_path = self.data_dir / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        if not (self.data_dir / "runsite.sqlite3").exists():
            self.prepare()

    def prepare(self) -> None:
        """Fill the data directory. Another database than SQLite is migrated already."""
        if self.settings.get("DATABASE_URL"):
            shutil.copytree(template() / "static", self.data_dir / "static")
        else:
            shutil.copytree(template(), self.data_dir, dirs_exist_ok=True)
            (self.data_dir / "secret-key").unlink(missing_ok=True)

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What SDKs are given."""
        return f"{self.url}/v1"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives, paused or not."""
        return self.process is not None and self.process.poll() is None

    @property
    def memory(self) -> int:
        """Bytes of memory that the server's process holds."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    @property
    def most_memory(self) -> int:
        """The most bytes of memory that the server's process has held since its start."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    @property
    def log(self) -> str:
        """All that the server has printed and logged, over all its starts."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    @property
    def login_url(self) -> str:
        """The link of the latest start."""
        found = re.findall(r"http\S+/console/enter/#\S+", self.log)
        assert found, self.log
        return str(found[-1])

    def headers(self) -> dict[str, str]:
        """For plain HTTP calls of the API."""
        return {"Authorization": f"Bearer {self.key}", "OpenAI-Beta": "assistants=v2"}

    def start(self, *, wait: bool = True) -> Self:
        """Start the process and wait until it is ready."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=environment(self.data_dir, **self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the test's Ctrl-C is not the server's
            )
        if wait:
            self.wait_ready()
        if not self.key:
            found = re.findall(r"API key\s+(rsk_\S+)", self.log)
            self.key = found[-1] if found else ""
        return self

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait for a 200 of ``/readyz`` from this very process."""
        deadline = time.monotonic() + seconds
        # One client for all tries: to make one takes longer than to ask, and the processes that
        # start need the machine.
        with httpx.Client(timeout=5, trust_env=False, verify=False) as client:  # noqa: S501
            while time.monotonic() < deadline:
                assert self.process is not None
                if self.process.poll() is not None:
                    raise AssertionError(f"the server ended: {self.process.returncode}\n{self.log}")
                try:
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"not ready after {seconds} s\n{self.log}")

    def stop(self, number: int = signal.SIGTERM, seconds: float = STOP_SECONDS) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.signal(number)
        return self.wait(seconds)

    def signal(self, number: int) -> None:
        """Send a signal to the server's own process."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the end of the process; its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def kill9(self) -> None:
        """Kill the server's own process, and nothing else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def pause(self) -> None:
        """Freeze the process: it does nothing, and its connections stay open."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self.signal(signal.SIGCONT)

    def restart(self) -> Self:
        """Start again on the same port and data."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        return self.start()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A management command on this server's data."""
        return manage(*arguments, data_dir=self.data_dir, **self.settings)

    def close(self) -> None:
        """Kill what is left of the process and its children, and delete its data."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()


def migrate(database: str) -> None:
    """Make the tables of the scaled mode in an empty database."""
    settings = {"DATABASE_URL": database, "RUNSITE_ENGINE": "procrastinate"}
    settings["REDIS_URL"] = "redis://127.0.0.1:9/0"  # nobody is asked
    done = manage("migrate", "--verbosity=0", data_dir=template(), **settings)
    assert done.returncode == 0, done.stderr


EMPTY = "template1"


@functools.cache
def postgres_template(server_url: str) -> str:
    """The name of a database whose tables are made, once for all that are copies of it."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    url = stack.enter_context(postgres_database(server_url, copy_of=EMPTY))
    migrate(url)
    return urlsplit(url).path[1:]


@contextlib.contextmanager
def postgres_database(server_url: str, copy_of: str = "") -> Iterator[str]:
    """A new database on the PostgreSQL of ``server_url``, dropped at the end; its address.
    It is migrated, unless it is a copy of ``EMPTY`` or of another one that nobody uses now."""
    name = f"runsite_live_{uuid.uuid4().hex[:12]}"
    copy_of = copy_of or postgres_template(server_url)
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {copy_of}")
        try:
            yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
