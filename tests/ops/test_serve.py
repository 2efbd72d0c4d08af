"""``manage.py serve`` as it runs and as it ends: real processes on loopback."""

import re
import signal
import socket
import sqlite3
import time
from contextlib import closing
from urllib.parse import parse_qs

import httpx
import pytest

from runs.contract import limits
from tests.live import LiveServer, manage
from tests.ops.serving import get
from tests.process.test_admin_cleanup import Admin

pytestmark = pytest.mark.process


class Stream:
    """A run of the demo model that says ``words`` words, and one reader of its events."""

    def __init__(self, server: LiveServer, words: int, delay_ms: int):
        self.api = httpx.Client(
            base_url=server.base_url, headers=server.headers(), trust_env=False, timeout=30
        )
        assistant = self.post("/assistants", model="runsite/demo")
        text = f"#long {words} #delay {delay_ms}"
        thread = self.post("/threads", messages=[{"role": "user", "content": text}])
        self.runs = f"/threads/{thread['id']}/runs"
        body = {"assistant_id": assistant["id"], "stream": True}
        self.response = self.api.send(
            self.api.build_request("POST", self.runs, json=body), stream=True
        )
        self.lines = self.response.iter_lines()

    def post(self, path, **body):
        response = self.api.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def skip_to_deltas(self, count):
        for line in self.lines:
            count -= line == "event: thread.message.delta"
            if not count:
                return

    def status(self):
        return self.api.get(self.runs).json()["data"][0]["status"]

    def close(self):
        self.response.close()
        self.api.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_a_turn_end_and_its_reader_see_it(start_server, number):
    server = start_server()
    idle = httpx.Client(trust_env=False)
    assert idle.get(f"{server.url}/healthz").text == "ok"
    silent = socket.create_connection(("127.0.0.1", server.port))
    stream = Stream(server, words=60, delay_ms=20)
    stream.skip_to_deltas(5)
    started = time.monotonic()
    server.signal(number)
    rest = list(stream.lines)
    assert "event: thread.run.completed" in rest
    assert rest[-3:] == ["event: done", "data: [DONE]", ""]
    assert server.wait() == 0
    assert time.monotonic() - started < 8
    assert server.log.rstrip().endswith("Stopped.")
    assert "Traceback" not in server.log
    silent.close()
    idle.close()
    stream.close()


def test_a_turn_that_outlasts_the_drain_goes_on_at_the_next_start(start_server):
    server = start_server(RUNSITE_DRAIN_SECONDS="1")
    stream = Stream(server, words=100, delay_ms=40)
    stream.skip_to_deltas(5)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 6
    assert "Traceback" not in server.log
    server.start()
    deadline = time.monotonic() + 20
    while stream.status() != "completed" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stream.status() == "completed"
    stream.close()


def test_a_second_signal_does_not_wait(start_server):
    server = start_server(RUNSITE_DRAIN_SECONDS="60")
    stream = Stream(server, words=1000, delay_ms=50)
    stream.skip_to_deltas(2)
    server.signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in server.log)
    with pytest.raises(httpx.ConnectError):
        get(server, "/healthz")
    server.signal(signal.SIGINT)
    assert server.wait(5) == 1
    assert "Stopped at once." in server.log
    assert "Traceback" not in server.log
    stream.close()


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_kill_leaves_nothing_in_the_way_of_the_next_start(server):
    server.kill9()
    server.start()
    assert get(server, "/v1/assistants").status_code == 200


def test_two_servers_of_one_checkout_do_not_meet(start_server):
    first, second = start_server(), start_server(RUNSITE_API_KEY="another-key-" * 4)
    made = httpx.post(
        f"{first.base_url}/threads", json={}, headers=first.headers(), trust_env=False
    )
    assert made.status_code == 200
    path = f"/v1/threads/{made.json()['id']}"
    assert get(first, path).status_code == 200
    assert get(second, path).status_code == 404
    foreign = httpx.get(f"{second.url}{path}", headers=first.headers(), trust_env=False)
    assert foreign.status_code == 401


def test_a_declared_body_over_the_limit_is_refused_before_it_is_read(shared):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as raw:
        head = (
            "POST /v1/threads HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {99 * 1024 * 1024}\r\n\r\n"
        )
        raw.sendall(head.encode())
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code": "body_too_large"' in answer
    assert b"x-request-id: req_" in answer
    assert b"server:" not in answer.lower()


def test_an_endless_body_is_cut_at_the_limit(shared):
    sent = 0

    def chunks():
        nonlocal sent
        while sent < 4 * limits.BODY_BYTES:
            sent += 65536
            yield b" " * 65536

    with httpx.Client(trust_env=False, timeout=30) as client:
        try:
            response = client.post(
                f"{shared.base_url}/threads", content=chunks(), headers=shared.headers()
            )
            assert response.status_code == 413
            assert response.json()["error"]["code"] == "body_too_large"
        except httpx.WriteError:
            pytest.fail("the answer was lost")


def test_the_largest_allowed_body_arrives(shared):
    text = "x" * 250_000
    messages = [{"role": "user", "content": text} for _ in range(32)]
    response = httpx.post(
        f"{shared.base_url}/threads",
        json={"messages": messages},
        headers=shared.headers(),
        trust_env=False,
        timeout=60,
    )
    assert response.status_code == 200, response.text[:300]


def test_no_server_header_and_no_store(shared):
    response = get(shared, "/v1/assistants")
    assert "server" not in response.headers
    assert response.headers["cache-control"] == "no-store"
    page = httpx.get(f"{shared.url}/console/login/", trust_env=False)
    assert "server" not in page.headers


def test_static_files_are_served_with_their_hashed_names(shared):
    page = httpx.get(f"{shared.url}/console/enter/", trust_env=False, follow_redirects=True)
    names = re.findall(r"/static/[^\"']+\.(?:css|js)", page.text)
    assert names
    for name in names:
        response = httpx.get(f"{shared.url}{name}", trust_env=False)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
    refused = httpx.get(f"{shared.url}{names[0]}", headers={"Host": "evil"}, trust_env=False)
    assert refused.status_code == 400


def test_log_lines_hold_no_key_and_no_query(shared):
    wrong = "rsk_live_" + "x" * 38
    httpx.get(
        f"{shared.base_url}/assistants?secret=canary",
        headers={"Authorization": f"Bearer {wrong}"},
        trust_env=False,
    )
    assert '"event": "request"' in shared.log
    assert wrong not in shared.log
    assert "canary" not in shared.log


def test_an_answer_that_breaks_in_its_midst_is_cut_off(server):
    """The next one as well, and the log tells of each: a server that has stopped to look at its
    applications does neither."""
    stream = Stream(server, words=3, delay_ms=0)
    assert list(stream.lines)[-2] == "data: [DONE]"
    run = stream.api.get(stream.runs).json()["data"][0]
    stream.close()
    with closing(Admin(server)) as admin:
        whole = admin.post(
            "/console/runs/", path := "/console/runs/export/", format="json", run=run["id"]
        )
        assert whole.json()[0]["run"] == run
        with closing(sqlite3.connect(server.data_dir / "runsite.sqlite3")) as database:
            database.execute("ALTER TABLE runs_runstep RENAME TO away")
        form = parse_qs(whole.request.content.decode())
        told = "Exception inside application"
        for number in (1, 2):
            with pytest.raises(httpx.ReadError):
                admin.http.post(path, data=form)
            wait_for(lambda number=number: server.log.count(told) == number)


def test_a_look_at_the_connections_that_breaks_off_is_not_the_last(tmp_path):
    """With a connection in the list of which Daphne makes nothing."""
    program = """
from runsite.server import Server, reactor

server = Server.__new__(Server)
server.application_close_timeout = 10
server.connections = {"no protocol": {"disconnected": "no time"}}
server.application_checker()
server.timeout_checker()
print(*sorted(round(call.getTime() - reactor.seconds()) for call in reactor.getDelayedCalls()))
"""
    done = manage("shell", "--no-imports", "-c", program, data_dir=tmp_path)
    assert done.stdout == "1 2\n"
    assert done.stderr.count("broke off") == 2


def test_a_reader_that_reads_nothing_does_not_fill_memory(server):
    """512 KiB answers, many at once, to clients that never read: bounded by the buffers."""
    big = [{"role": "user", "content": "x" * 200_000} for _ in range(20)]
    made = httpx.post(
        f"{server.base_url}/threads",
        json={"messages": big},
        headers=server.headers(),
        trust_env=False,
        timeout=30,
    )
    path = f"/v1/threads/{made.json()['id']}/messages?limit=100"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.key}\r\n\r\n"
    )
    lazy = []
    for _ in range(5):
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(request.encode())
        lazy.append(raw)
    assert get(server, path).status_code == 200
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 6
    for raw in lazy:
        raw.close()
