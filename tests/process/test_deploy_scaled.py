"""``make run-scaled``: web processes and workers from one command.

A copy of the checkout borrows this environment's packages, with stamps that say it is complete:
nothing here touches the network.
"""

import contextlib
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import REDIS
from tests.live import EMPTY, KEY, ROOT, environment, free_port, postgres_database
from tests.ops.test_bootstrap import copied
from tests.process.client import assert_gone, family_of
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = [pytest.mark.process, pytest.mark.services]

VENV = ROOT / ".venv"
READY = re.compile(r"^Runsite is ready: (.+)\. Ctrl-C stops all\.$", re.MULTILINE)
NOWHERE = "127.0.0.1:9"
COMMAND = (sys.executable, "tools/run_scaled.py")
FEW = (*COMMAND, "--web=1", "--workers=1")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is installed and run. Its environment is ours, complete by its stamps."""
    folder = copied(tmp_path)
    (folder / ".venv").mkdir()
    for name in ("bin", "lib", "lib64", "include", "pyvenv.cfg"):
        if (VENV / name).exists():
            (folder / ".venv" / name).symlink_to((VENV / name).resolve())
    bootstrap = runpy.run_path(str(ROOT / "tools" / "bootstrap.py"))
    for name in ("base", "scaled"):
        (folder / ".venv" / f"runsite-{name}.stamp").write_text(bootstrap["wanted"](name))
    return folder


@pytest.fixture
def settings(tmp_path: Path, upstream: Upstream) -> Iterator[dict[str, str]]:
    """The environment: a database of its own, and two ports beside each other."""
    with postgres_database(os.environ["DATABASE_URL"], EMPTY) as url:
        yield environment(
            tmp_path / "data",
            HOME=str(tmp_path),
            DATABASE_URL=url,
            REDIS_URL=REDIS,
            RUNSITE_PORT=str(two_ports()),
            RUNSITE_API_KEY=KEY,
            RUNSITE_UPSTREAM_URL=upstream.url,
        )


def two_ports() -> int:
    """The first of two ports that nobody listens on."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port + 1))
            return port


class Scaled:
    """The command, what it has printed, and the API of each web process."""

    def __init__(self, checkout: Path, env: dict[str, str], *command: str):
        self.env = env
        self.output = checkout / "output"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                command or COMMAND,
                cwd=checkout,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def told(self) -> str:
        """All that it has printed."""
        return self.output.read_text()

    def wait_for(self, pattern: re.Pattern[str], seconds: float = 90) -> str:
        """Wait until it prints that; the first group."""
        deadline = time.monotonic() + seconds
        while not (found := pattern.search(self.told)):
            assert self.process.poll() is None, self.told
            assert time.monotonic() < deadline, self.told
            time.sleep(0.1)
        return found[1]

    def api(self, web: int) -> httpx.Client:
        """The API of one of the web processes."""
        port = int(self.env["RUNSITE_PORT"]) + web
        headers = {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "assistants=v2"}
        url = f"http://127.0.0.1:{port}/v1"
        return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

    def worker(self) -> int:
        """The process id of a worker."""
        for pid in family_of(self.process.pid):
            if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
        raise AssertionError(self.told)

    def close(self) -> None:
        """Kill all that is left."""
        for pid in family_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


Start = Callable[..., Scaled]


@pytest.fixture
def start(checkout: Path, settings: dict[str, str]) -> Iterator[Start]:
    """Start the command: ``start("make", "run-scaled", RUNSITE_X="...")``."""
    started: list[Scaled] = []

    def begin(*command: str, **more: str) -> Scaled:
        started.append(Scaled(checkout, {**settings, **more}, *command))
        return started[-1]

    yield begin
    for scaled in started:
        scaled.close()


def create(api: httpx.Client, model: str, **fields: Any) -> httpx.Response:
    """A new thread with a run of ``model``."""
    assistant = api.post("/assistants", json={"model": model}).json()
    messages = [{"role": "user", "content": "Hello"}]
    body = {"assistant_id": assistant["id"], "thread": {"messages": messages}, **fields}
    reply = api.post("/threads/runs", json=body)
    assert reply.status_code == 200, reply.text
    return reply


def test_one_command_serves_and_executes_until_ctrl_c(start: Start) -> None:
    """A run that one web process took is read to its end at the other one."""
    scaled = start("make", "run-scaled", f"PYTHON={sys.executable}", "WORKERS=3")
    assert scaled.wait_for(READY) == "2 web processes and 3 workers"
    port = int(scaled.env["RUNSITE_PORT"])
    summary = scaled.told[scaled.told.index("\nRunsite is ready: ") :]
    assert re.search(
        rf"^  Console    http://127\.0\.0\.1:{port}/console/enter/#\S+$", summary, re.MULTILINE
    )
    assert f"  Base URL   http://127.0.0.1:{port}/v1\n" in summary
    assert f"  Base URL   http://127.0.0.1:{port + 1}/v1\n" in summary
    assert "Downloading" not in scaled.told
    with scaled.api(0) as one, scaled.api(1) as two:
        assert one.get(f"http://127.0.0.1:{port}/readyz").json()["checks"]["workers"] == "ok"
        run = create(one, "text-60x20").json()
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        events = two.get(f"{path}/stream").text
        assert "event: thread.run.completed\n" in events
        assert events.rstrip().endswith("data: [DONE]")
        message = two.get(f"/threads/{run['thread_id']}/messages").json()["data"][0]
        assert message["content"][0]["text"]["value"] == expected_text("text-60x20")
    family = family_of(scaled.process.pid)
    os.killpg(scaled.process.pid, signal.SIGINT)  # Ctrl-C reaches make and the command alike
    assert scaled.process.wait(40) == -signal.SIGINT, scaled.told  # make's own way to end
    for name in ("web.1   ", "web.2   ", "worker.1", "worker.2", "worker.3"):
        assert f"\n{name} | Stopped.\n" in scaled.told
    assert "Traceback" not in scaled.told
    assert "***" not in scaled.told  # make has nothing to complain about
    assert_gone(family)


def test_when_one_process_dies_all_end_and_nothing_is_lost(start: Start) -> None:
    scaled = start(*FEW, RUNSITE_LEASE_SECONDS="2", RUNSITE_DRAIN_SECONDS="1")
    assert scaled.wait_for(READY) == "1 web process and 1 worker"
    with scaled.api(0) as api:
        run = create(api, "text-100x40").json()
        os.kill(scaled.worker(), signal.SIGKILL)
    family = family_of(scaled.process.pid)
    assert scaled.process.wait(40) == 1, scaled.told
    assert re.search(
        r"^worker\.1 ended \(killed by SIGKILL\); stopping the others\.$", scaled.told, re.MULTILINE
    )
    assert_gone(family)
    again = start(*FEW, RUNSITE_LEASE_SECONDS="2")
    again.wait_for(READY)
    with again.api(0) as api:
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        assert "event: thread.run.completed\n" in api.get(f"{path}/stream").text
    again.process.terminate()
    assert again.process.wait(40) == 0, again.told


def test_a_second_signal_ends_all_at_once(start: Start) -> None:
    scaled = start(*FEW, RUNSITE_DRAIN_SECONDS="60")
    scaled.wait_for(READY)
    with scaled.api(0) as api:
        run = create(api, "hang").json()
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        while api.get(path).json()["status"] != "in_progress":
            time.sleep(0.05)
    family = family_of(scaled.process.pid)
    scaled.process.terminate()
    scaled.wait_for(re.compile(r"^(worker\.\d +\| Stopping): ", re.MULTILINE))
    scaled.process.terminate()
    assert scaled.process.wait(20) == 1, scaled.told
    assert_gone(family)


def test_a_taken_port_is_told_before_anything_is_done(start: Start) -> None:
    """Also that of the second web process."""
    port = two_ports()
    with socket.create_server(("127.0.0.1", port + 1)):
        scaled = start(RUNSITE_PORT=str(port), DATABASE_URL=f"postgresql://{NOWHERE}/runs")
        assert scaled.process.wait(30) == 1
    assert scaled.told.startswith(f"Runsite cannot listen on 127.0.0.1:{port + 1}")


@pytest.mark.parametrize(
    ("variable", "url", "sentence"),
    [
        (
            "DATABASE_URL",
            f"postgresql://me:a-secret@{NOWHERE}/runs",
            f"PostgreSQL does not answer at {NOWHERE}/runs",
        ),
        ("REDIS_URL", f"redis://:a-secret@{NOWHERE}/0", f"Redis does not answer at {NOWHERE}/0"),
    ],
)
def test_a_service_that_does_not_answer_is_one_sentence(
    start: Start, variable: str, url: str, sentence: str
) -> None:
    scaled = start(**{variable: url})
    assert scaled.process.wait(60) == 1
    (line,) = scaled.told.strip().splitlines()
    assert line.startswith(sentence)
    assert line.endswith(f": start it, or say in {variable} where another one is.")
    assert "a-secret" not in line


def test_offline_at_the_first_start_is_told_in_words(start: Start, checkout: Path) -> None:
    (checkout / ".venv" / "runsite-scaled.stamp").unlink()
    nothing = "http://127.0.0.1:9/simple"
    scaled = start(
        PIP_INDEX_URL=nothing,
        PIP_EXTRA_INDEX_URL=nothing,
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_CACHE_DIR="1",
        PIP_FORCE_REINSTALL="1",  # else it finds that all is there
        PIP_RETRIES="0",
    )
    assert scaled.process.wait(120) == 1
    assert "The clients of PostgreSQL and Redis could not be installed." in scaled.told
    assert "run the same command again" in scaled.told
    assert "Traceback" not in scaled.told
