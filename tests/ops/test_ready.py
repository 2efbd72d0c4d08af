"""``deploy/ready.py``: what container and unit are asked whether they are ready."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError

from runs.execution import engines
from runs.management.commands import worker
from runsite import process
from tests.live import ROOT, LiveServer, free_port

pytestmark = pytest.mark.process


def refused(*arguments: str, **variables: str) -> str:
    """Why it says no with these variables and no others; nothing if it says yes."""
    command = [sys.executable, "deploy/ready.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1 if done.stderr else 0, "")
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


@pytest.fixture
def gone() -> str:
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return str(child.pid)


@contextlib.contextmanager
def touching(path: Path) -> Iterator[None]:
    """A worker whose loop goes round, from a second after the start on."""
    stop = threading.Event()

    def touch() -> None:
        while not stop.wait(1):
            path.touch()

    thread = threading.Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_web_process_is_asked_where_it_listens(tmp_path: Path) -> None:
    where = {"RUNSITE_HOST": "127.0.0.2", "RUNSITE_ALLOWED_HOSTS": "127.0.0.2"}
    server = LiveServer(tmp_path, **where)
    at = {"RUNSITE_PORT": str(server.port)}
    assert "refused" in refused(**at, **where)
    try:
        server.start(wait=False)
        assert not refused("60", **at, **where)
        assert refused(**at)  # nobody there
    finally:
        server.close()


def test_a_process_that_listens_everywhere_is_asked_on_loopback(start_server) -> None:
    server = start_server()
    for host in ("", "0.0.0.0"):  # noqa: S104 - asked, not listened on
        for names in ("", "*"):
            at = {"RUNSITE_HOST": host, "RUNSITE_PORT": str(server.port)}
            assert not refused(**at, RUNSITE_ALLOWED_HOSTS=names)


def test_it_is_asked_by_a_name_that_it_serves(tmp_path: Path) -> None:
    pattern = {"RUNSITE_ALLOWED_HOSTS": ".example.com"}
    server = LiveServer(tmp_path, **pattern)
    at = {"RUNSITE_PORT": str(server.port)}
    names = tmp_path / "names"
    names.write_text(" runs.example.com, others.example.com\n")
    try:
        server.start(wait=False)
        assert not refused("60", **at, **pattern)
        assert not refused(**at, RUNSITE_ALLOWED_HOSTS_FILE=str(names))
        for others in ("*", ""):
            why = refused(**at, RUNSITE_ALLOWED_HOSTS=others)
            assert "/readyz answers 400: " in why
            assert "RUNSITE_ALLOWED_HOSTS" in why  # the answer itself says what to do
    finally:
        server.close()


@pytest.mark.parametrize("kind", [[], ["--worker"]])
def test_a_process_that_has_ended_is_not_waited_for(
    kind: list[str], gone: str, tmp_path: Path
) -> None:
    """systemd starts it again only afterwards."""
    began = time.monotonic()
    at = {"RUNSITE_PORT": str(free_port()), "RUNSITE_DATA_DIR": str(tmp_path)}
    assert refused(*kind, "30", MAINPID=gone, **at) == "Not ready: the process has ended"
    assert time.monotonic() - began < 10


def test_another_process_in_its_place_does_not_count(start_server, gone: str) -> None:
    """Its port was taken."""
    port = str(start_server().port)
    assert refused("30", MAINPID=gone, RUNSITE_PORT=port)
    assert not refused("30", MAINPID=str(os.getpid()), RUNSITE_PORT=port)


def test_a_worker_is_ready_while_its_file_is_young(tmp_path: Path) -> None:
    at = {"RUNSITE_DATA_DIR": str(tmp_path)}
    assert "worker-alive" in refused("--worker", **at)
    alive = tmp_path / "worker-alive"
    alive.touch()
    assert not refused("--worker", **at)
    old = time.time() - 11
    os.utime(alive, (old, old))
    assert "was last touched 11 s ago" in refused("--worker", **at)


def test_what_a_killed_worker_has_touched_makes_no_other_ready(tmp_path: Path) -> None:
    """One that is started again is ready when it says so itself."""
    at = {"RUNSITE_DATA_DIR": str(tmp_path), "MAINPID": str(os.getpid())}
    alive = tmp_path / "worker-alive"
    alive.touch()
    assert refused("--worker", "0.5", **at)
    with touching(alive):
        assert not refused("--worker", "30", **at)


async def test_a_worker_that_starts_is_not_ready_yet(settings, monkeypatch, tmp_path) -> None:
    settings.RUNSITE_DATA_DIR = tmp_path
    alive = tmp_path / worker.ALIVE
    alive.touch()
    there: list[bool] = []

    async def look() -> None:
        there.append(alive.exists())

    monkeypatch.setattr(process, "current", SimpleNamespace(work=look, stop=look))
    monkeypatch.setattr(engines, "current", lambda: SimpleNamespace(running=False))
    monkeypatch.setattr(worker, "ALIVE_SECONDS", 0.01)
    with pytest.raises(CommandError, match="has died"):
        await worker.Command().work()
    assert there == [False, False]
