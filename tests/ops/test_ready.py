"""``deploy/ready.py``: what container and unit are asked whether they are ready."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live import ROOT, LiveServer

pytestmark = pytest.mark.process


def ready(*arguments: str, **variables: str) -> bool:
    """What it says with these variables and no others."""
    command = [sys.executable, "deploy/ready.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=variables, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""
    return done.returncode == 0


def test_a_web_process_is_asked_where_it_listens(tmp_path: Path) -> None:
    where = {"RUNSITE_HOST": "127.0.0.2", "RUNSITE_ALLOWED_HOSTS": "127.0.0.2"}
    server = LiveServer(tmp_path, **where)
    at = {"RUNSITE_PORT": str(server.port)}
    assert not ready(**at, **where)
    try:
        server.start(wait=False)
        assert ready("60", **at, **where)
        assert not ready(**at)  # nobody there
    finally:
        server.close()


def test_a_process_that_listens_everywhere_is_asked_on_loopback(start_server) -> None:
    server = start_server()
    for host in ("", "0.0.0.0"):  # noqa: S104 - asked, not listened on
        assert ready(RUNSITE_HOST=host, RUNSITE_PORT=str(server.port))


def test_a_worker_is_ready_while_its_file_is_young(tmp_path: Path) -> None:
    at = {"RUNSITE_DATA_DIR": str(tmp_path)}
    assert not ready("--worker", **at)
    alive = tmp_path / "worker-alive"
    alive.touch()
    assert ready("--worker", "5", **at)
    old = time.time() - 11
    os.utime(alive, (old, old))
    assert not ready("--worker", **at)
