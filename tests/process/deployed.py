"""The services of ``deploy/compose.yaml`` as processes of this machine.

Their commands in their order with their environment. Names of services become loopback,
``/run/secrets`` the files that ``make-secrets`` makes, ``/data`` a folder for each; PostgreSQL and
Redis are those of the tests. nginx serves with ``nginx.conf`` if it is installed; else each
connection goes to the next web process.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REDIS
from tests.live import ROOT, free_port

NGINX = shutil.which("nginx")


class Compose:
    """The services of the file as processes."""

    def __init__(self, folder: Path, database: str, given: dict[str, str]):
        self.folder = folder
        self.file: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())
        #: Those that are ours to start: without what the tests have, and what is asked for.
        self.services: dict[str, dict[str, Any]] = {
            name: service
            for name, service in self.file["services"].items()
            if name not in ("postgres", "redis") and "profiles" not in service
        }
        self.ports = {name: free_port() for name in self.services}
        self.given = {"RUNSITE_PUBLISH": f"127.0.0.1:{self.ports['proxy']}", **given}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        made = subprocess.run([str(folder / "make-secrets")], check=True, capture_output=True)
        assert b"api_key" in made.stdout
        self.key = (folder / "secrets" / "api_key").read_text().strip()
        (folder / "secrets" / "database_url").chmod(0o600)
        (folder / "secrets" / "database_url").write_text(database)

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.ports['proxy']}"

    @property
    def base_url(self) -> str:
        """What SDKs are given."""
        return f"{self.url}/v1"

    def headers(self) -> dict[str, str]:
        """For plain HTTP calls of the API."""
        return {"Authorization": f"Bearer {self.key}", "OpenAI-Beta": "assistants=v2"}

    @property
    def login_url(self) -> str:
        """The link that the first web process printed."""
        return re.findall(r"http\S+/console/enter/#\S+", self.told("web1"))[-1]

    def secret(self, name: str) -> Path:
        """The file of a secret."""
        return self.folder / str(self.file["secrets"][name]["file"])

    @property
    def order(self) -> list[str]:
        """The services in the order in which they are started."""
        needs = {name: self.needs(name) for name in self.services}
        return list(TopologicalSorter(needs).static_order())

    def needs(self, name: str) -> dict[str, str]:
        """What a service depends on, and on which condition."""
        found = self.services[name].get("depends_on", {})
        return {
            other: needed["condition"] for other, needed in found.items() if other in self.services
        }

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a service, and those of the Dockerfile."""
        service = self.services[name]
        data = self.folder / f"data-{name}"
        data.mkdir(exist_ok=True)
        variables = {"RUNSITE_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
        for variable, text in service["environment"].items():
            value = self.filled_in(text)
            if value.startswith("/run/secrets/"):
                secret = Path(value).name
                assert secret in service["secrets"]
                value = str(self.secret(secret))
            variables[variable] = value
        variables["REDIS_URL"] = REDIS
        variables["RUNSITE_HOST"] = "127.0.0.1"
        variables["RUNSITE_PORT"] = str(self.ports[name])
        return {"PATH": os.environ["PATH"], **variables}

    def filled_in(self, text: str) -> str:
        """A text with the variables that ``.env`` gives, or their defaults; inner ones first."""
        while found := re.search(r"\$\{(\w+)(?::[-?]([^${}]*))?\}", text):
            value = self.given.get(found[1]) or (found[2] or "" if ":-" in found[0] else "")
            text = text[: found.start()] + value + text[found.end() :]
        return text

    def run(self, name: str) -> None:
        """Start a service once its conditions hold."""
        for other, condition in self.needs(name).items():
            self.wait_for(other, condition)
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.command(name),
                cwd=ROOT,
                env=self.environment(name) if name != "proxy" else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def command(self, name: str) -> list[str]:
        """The words of a service's command."""
        if name != "proxy":
            return self.in_python(self.services[name]["command"])
        if NGINX:
            return [NGINX, "-c", str(self.nginx_conf()), "-g", "daemon off;"]
        webs = [str(self.ports[name]) for name in self.webs]
        return [sys.executable, "-c", BALANCER, str(self.ports["proxy"]), *webs]

    @property
    def webs(self) -> list[str]:
        """The web processes."""
        return [name for name in self.services if name.startswith("web")]

    def in_python(self, words: list[str]) -> list[str]:
        """A command of the image, here."""
        assert words[0] == "python"
        return [sys.executable, *words[1:]]

    def nginx_conf(self) -> Path:
        """The file that is mounted, with our ports, and without what an old nginx cannot do."""
        text = (self.folder / "nginx.conf").read_text()
        for name in self.webs:
            server = f"server {name}:8000 resolve"
            assert server in text
            text = text.replace(server, f"server 127.0.0.1:{self.ports[name]}")
        text = text.replace("listen 8080;", f"listen 127.0.0.1:{self.ports['proxy']};")
        path = self.folder / "nginx.here.conf"
        path.write_text(text.replace("/tmp/", f"{self.folder}/nginx-"))  # noqa: S108
        return path

    def wait_for(self, name: str, condition: str) -> None:
        """Wait for another service as its dependent wants it."""
        if condition == "service_completed_successfully":
            assert self.processes[name].wait(120) == 0, self.told(name)
        elif condition == "service_healthy":
            test = self.services[name]["healthcheck"]["test"]
            assert test[0] == "CMD"
            self.until(name, lambda: self.healthy(name, self.in_python(test[1:])))
        else:
            assert condition == "service_started"

    def healthy(self, name: str, command: list[str]) -> bool:
        """Whether the health check of a service succeeds."""
        environment = self.environment(name)
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        return done.returncode == 0

    def until(self, name: str, holds: Any, seconds: float = 90) -> None:
        """Wait for something about a service that lives."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.processes[name].poll() is None, self.told(name)
            assert time.monotonic() < deadline, self.told(name)
            time.sleep(0.2)

    def stop(self, name: str) -> None:
        """Stop a service as compose does; it has its grace, and ends by itself."""
        process = self.processes.pop(name)
        if name != "migrate":
            grace = float(self.services[name]["stop_grace_period"].removesuffix("s"))
            process.send_signal(signal.Signals[self.services[name].get("stop_signal", "SIGTERM")])
            assert process.wait(grace) == 0, self.told(name)

    def log(self, name: str) -> Path:
        """Where the output of a service goes."""
        return self.folder / f"{name}.log"

    def told(self, name: str) -> str:
        """What a service has printed."""
        return self.log(name).read_text()

    def close(self) -> None:
        """Kill what is left."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


#: Hands each connection to the next of some ports on which somebody listens.
BALANCER = """
import asyncio, itertools, signal, sys
first, *ports = map(int, sys.argv[1:])
turns = itertools.cycle(ports)
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
async def connected(reader, writer):
    for port in itertools.islice(turns, len(ports)):
        try:
            theirs, to_them = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            continue
        await asyncio.gather(pump(reader, to_them), pump(theirs, writer))
        return
    writer.close()
async def main():
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, asked.set)
    await asyncio.start_server(connected, "127.0.0.1", first)
    await asked.wait()
asyncio.run(main())
"""
