"""``make run``: what it says when something is missing, and that it installs only once.

A copy of the checkout stands in for a fresh one. It borrows this environment's packages, or a
``pip`` and ``venv`` that fail on purpose: nothing here touches the network.
"""

import contextlib
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.live import ROOT, environment, free_port

pytestmark = pytest.mark.process

PARTS = ("manage.py", "Makefile", "runs", "runsite", "requirements", "static", "templates", "tools")
VENV = ROOT / ".venv"


def copied(tmp_path: Path) -> Path:
    """A copy of what is installed and run, without an environment."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copied(tmp_path)


@pytest.fixture
def installed(checkout: Path) -> Path:
    """The copy with this environment, which its stamps say is complete."""
    (checkout / ".venv").symlink_to(VENV)
    return checkout


def settings(tmp_path: Path, port: int, **more: str) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    given = {"RUNSITE_PORT": str(port), "HOME": str(home), **more}
    return environment(tmp_path / "data", **given)


def make(checkout: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@contextlib.contextmanager
def running(
    checkout: Path, env: dict[str, str], port: int
) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """``make run`` until it answers; its process and its output."""
    output = Path(env["RUNSITE_DATA_DIR"]).parent / f"output-{port}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["make", "run", f"PYTHON={sys.executable}"],
            cwd=checkout,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_ready(process, port, output)
        yield process, output
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def wait_ready(process: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, output.read_text()
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=5)
            if answer.status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(output.read_text())


@pytest.mark.setup
def test_a_later_start_runs_no_pip_and_leaves_the_checkout_alone(installed, tmp_path):
    port = free_port()
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*")}
    with running(installed, settings(tmp_path, port), port) as (process, output):
        told = output.read_text()
        assert "Runsite is ready." in told
        assert "rsk_live_" in told
        assert "Downloading" not in told
        assert "Making" not in told
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches make and the server alike
        process.wait(20)
        told = output.read_text()
        assert "Stopped." in told
        assert "Traceback" not in told
        assert "***" not in told  # make has nothing to complain about
    assert {path: path.stat().st_mtime_ns for path in installed.rglob("*")} == before
    assert (tmp_path / "data" / "runsite.sqlite3").exists()


@pytest.mark.setup
def test_two_starts_from_one_checkout(installed, tmp_path):
    ports = free_port(), free_port()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with (
        running(installed, settings(first, ports[0]), ports[0]) as (_, one),
        running(installed, settings(second, ports[1]), ports[1]) as (_, two),
    ):
        assert f":{ports[0]}/v1" in one.read_text()
        assert f":{ports[1]}/v1" in two.read_text()


def test_a_taken_port_is_told_before_anything_is_installed(checkout, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = make(checkout, settings(tmp_path, port), "run")
    assert done.returncode == 2  # make's own, for exit code 1 of the command
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "RUNSITE_PORT=8001" in done.stderr
    assert not (checkout / ".venv").exists()


def broken(checkout: Path, tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """``bootstrap.py run`` in a Python where ``code`` ran first."""
    script = f"import sys, runpy; sys.argv = ['bootstrap.py', 'run']; {code}\n"
    script += "runpy.run_path('tools/bootstrap.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=checkout,
        env=settings(tmp_path, free_port()),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_an_old_python_is_told_what_to_do(checkout, tmp_path):
    done = broken(checkout, tmp_path, "sys.version_info = (3, 9, 2)")
    assert done.returncode == 1
    assert "Runsite needs Python 3.11 or newer" in done.stderr
    assert "make run PYTHON=python3.12" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_python_without_venv_is_told_what_to_install(checkout, tmp_path):
    done = broken(checkout, tmp_path, "sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_offline_at_the_first_start_is_one_clear_sentence(checkout, tmp_path):
    env = settings(
        tmp_path,
        free_port(),
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_CONFIG_FILE=os.devnull,
        PIP_EXTRA_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS=str(tmp_path),
        PIP_NO_CACHE_DIR="1",
    )
    done = make(checkout, env, "run")
    assert done.returncode == 2
    assert "Downloading the dependencies (about 25 MB, once)" in done.stdout
    assert "The dependencies could not be installed." in done.stderr
    assert "needs the network, once" in done.stderr
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / ".venv" / "runsite-base.stamp").exists()


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("DATABASE_URL", "postgresql://127.0.0.1:9/runs", True),
        ("REDIS_URL", "redis://127.0.0.1:9/0", True),
        ("DATABASE_URL", "sqlite:///runs.sqlite3", False),
    ],
)
def test_a_fresh_checkout_gets_what_its_settings_need(monkeypatch, name, value, needed):
    module = runpy.run_path(str(ROOT / "tools" / "bootstrap.py"))
    for other in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(f"{other}_FILE", raising=False)
    monkeypatch.setenv("RUNSITE_UPSTREAM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("RUNSITE_PORT", str(free_port()))
    monkeypatch.setenv(name, value)

    def stop(names):
        raise LookupError(names)

    monkeypatch.setitem(module["run"].__globals__, "install", stop)
    with pytest.raises(LookupError) as wanted:
        module["run"]()
    assert wanted.value.args == (["base", "scaled"] if needed else ["base"],)


@pytest.mark.setup
def test_without_its_local_model_the_server_starts_and_says_so(installed, tmp_path):
    """The stamp of a failed download: no pip is run again, and the way out is named."""
    port = free_port()
    (installed / ".venv").unlink()
    (installed / ".venv").mkdir()
    for name in ("bin", "lib", "lib64", "include", "pyvenv.cfg", "runsite-base.stamp"):
        if (VENV / name).exists():
            (installed / ".venv" / name).symlink_to(VENV / name)
    stamp = installed / ".venv" / "runsite-local-model.stamp"
    stamp.write_text("failed " + wanted_stamp())
    env = settings(tmp_path, port, RUNSITE_UPSTREAM_URL="")
    with running(installed, env, port) as (_, output):
        told = output.read_text()
    assert "The local model could not be installed" in told
    assert "RUNSITE_UPSTREAM_URL" in told
    assert "make local-model" in told
    assert "Downloading" not in told


def wanted_stamp() -> str:
    """What bootstrap.py wants the local model's stamp to hold."""
    module = runpy.run_path(str(ROOT / "tools" / "bootstrap.py"))
    return str(module["wanted"]("local-model"))
