"""``deploy/nginx.conf`` before two servers of different versions."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.live import ROOT, free_port
from tests.process.deployed import NGINX

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(NGINX is None, reason="no nginx"),
]


class Release(BaseHTTPRequestHandler):
    """Has the static files of one release, and answers anything else."""

    def do_GET(self) -> None:
        """A file, or what the proxy said."""
        there = not self.path.startswith("/static/") or self.path in self.server.files
        body = (self.headers["Host"] + " " + self.headers["X-Forwarded-For"]).encode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Silence."""


class Server(ThreadingHTTPServer):
    """A web process of one release."""

    def __init__(self, *files: str):
        self.files = files
        super().__init__(("127.0.0.1", 0), Release)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def http(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the proxy, before an old and a new release."""
    servers = {"web1": Server("/static/old.js"), "web2": Server("/static/new.js")}
    text = (ROOT / "deploy" / "nginx.conf").read_text().replace("/tmp/", f"{tmp_path}/")  # noqa: S108
    text, found = re.subn(
        r"server (web\d):8000 resolve",
        lambda found: f"server 127.0.0.1:{servers[found[1]].server_port}",
        text,
    )
    assert found == 4  # each of the two as itself and as its own reserve
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(text.replace("listen 8080;", f"listen 127.0.0.1:{port};"))
    with ExitStack() as stack:
        command = [str(NGINX), "-c", str(config), "-g", "daemon off;"]
        nginx = stack.enter_context(subprocess.Popen(command, start_new_session=True))
        stack.callback(nginx.send_signal, signal.SIGTERM)
        transport = httpx.HTTPTransport(retries=7)  # until it listens
        base = f"http://127.0.0.1:{port}"
        yield stack.enter_context(httpx.Client(base_url=base, transport=transport))


def test_a_file_that_only_one_release_has_is_found(http: httpx.Client) -> None:
    """As while web processes are replaced one after the other."""
    for _ in range(4):
        for name in ("old", "new"):
            answer = http.get(f"/static/{name}.js", headers={"Host": "runs.example.com"})
            assert (answer.status_code, answer.text) == (200, "runs.example.com 127.0.0.1")
    assert http.get("/static/never.js").status_code == 404
    assert http.get("/v1/assistants").status_code == 200


@pytest.mark.parametrize("path", ["/console/login/", "/admin/login/"])
def test_one_address_has_few_tries_to_sign_in(http: httpx.Client, path: str) -> None:
    """Fewer than Runsite lets all addresses have together."""
    codes = [http.post(path, data={"username": "me"}).status_code for _ in range(12)]
    assert codes[:6] == [200] * 6
    assert codes[-1] == 429
    assert {http.get(path).status_code for _ in range(12)} == {200}
    assert http.post("/console/enter/").status_code == 200
