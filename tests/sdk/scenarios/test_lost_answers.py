"""The SDK repeats calls whose answers were lost. Here they pass a relay that loses them."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from openai import APIConnectionError, BadRequestError, OpenAI

from tests.sdk.scenarios.recorder import Recorder
from tests.sdk.scenarios.test_streams import THREE_TOKENS
from tests.sdk.scenarios.users import answer, function, outputs, start, thread_with, wait

OF_THE_CONNECTION = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Relay(ThreadingHTTPServer):
    """Hands requests on to the server; of the next ``losing`` answers nothing comes back."""

    daemon_threads = True

    def __init__(self, target: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = urlsplit(target)
        self.losing = 0
        self.lost: list[str] = []

    @property
    def base_url(self) -> str:
        """What the client is given."""
        return f"http://127.0.0.1:{self.server_port}{self.target.path}"


class Handler(BaseHTTPRequestHandler):
    """One request: wait for the whole answer, then send or lose it."""

    server: Relay
    protocol_version = "HTTP/1.1"

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection(self.server.target.netloc, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers))
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        if self.server.losing:
            self.server.losing -= 1
            self.server.lost.append(f"{self.command} {reply.status}")
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = relay  # noqa: N815 # the names of http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def relay(base_url: str) -> Iterator[Relay]:
    """A relay in front of the server."""
    with Relay(base_url) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        yield relay
        relay.shutdown()


@pytest.fixture
def far(relay: Relay, api_key: str) -> Iterator[OpenAI]:
    """A client behind the relay, with the SDK's two retries."""
    with OpenAI(base_url=relay.base_url, api_key=api_key) as client:
        yield client


def test_reading_again(far: OpenAI, relay: Relay) -> None:
    run = wait(far, start(far, "text-3"), "completed")
    relay.losing = 1
    assert far.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id) == run
    assert relay.lost == ["GET 200"]


def test_the_same_outputs_again(far: OpenAI, relay: Relay) -> None:
    run = wait(far, start(far, "tools-1-then-text-3", tools=[function("a")]), "requires_action")
    given = outputs(run)
    relay.losing = 2
    run = far.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=given
    )
    assert relay.lost == ["POST 200"] * 2
    run = wait(far, run, "completed", "failed")
    assert run.status == "completed"
    # And once more by hand, long after.
    again = far.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=given
    )
    assert again == run
    steps = far.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert [step.type for step in steps] == ["message_creation", "tool_calls"]
    assert answer(far, run.thread_id) == "w0 w1 w2 "


def test_a_run_is_not_created_twice(far: OpenAI, relay: Relay) -> None:
    """The repetition meets the run that the lost answer was about, as it always did."""
    assistant = far.beta.assistants.create(model="silent-1")
    thread_id = thread_with(far)
    relay.losing = 1
    with pytest.raises(BadRequestError, match="already has an active run"):
        far.beta.threads.runs.create(thread_id, assistant_id=assistant.id)
    assert relay.lost == ["POST 200"]
    (run,) = far.beta.threads.runs.list(thread_id).data
    relay.losing = 1
    with pytest.raises(BadRequestError, match="Cannot cancel run with status"):
        far.beta.threads.runs.cancel(run.id, thread_id=thread_id)
    assert wait(far, run, "cancelled").status == "cancelled"


def test_a_run_whose_answer_is_lost_with_a_key(far: OpenAI, relay: Relay) -> None:
    """With a key the repetition gets the answer that was lost."""
    assistant = far.beta.assistants.create(model="silent-1")
    thread_id = thread_with(far)
    relay.losing = 1
    run = far.beta.threads.runs.create(
        thread_id, assistant_id=assistant.id, extra_headers={"Idempotency-Key": f"{thread_id} 1"}
    )
    relay.losing = 1
    told = far.beta.threads.runs.cancel(
        run.id, thread_id=thread_id, extra_headers={"Idempotency-Key": f"{thread_id} 2"}
    )
    assert told.status in ("cancelling", "cancelled")
    assert relay.lost == ["POST 200"] * 2
    run = wait(far, run, "cancelled", "completed", "failed")
    assert run.status == "cancelled"
    assert far.beta.threads.runs.list(thread_id).data == [run]


def test_a_stream_that_is_lost_with_a_key(far: OpenAI, relay: Relay) -> None:
    """The repetition is streamed from the run's beginning."""
    assistant = far.beta.assistants.create(model="text-3")
    thread_id = thread_with(far)
    relay.losing = 1
    with far.beta.threads.runs.stream(
        thread_id=thread_id,
        assistant_id=assistant.id,
        event_handler=Recorder(),
        extra_headers={"Idempotency-Key": thread_id},
    ) as handler:
        handler.until_done()
    assert relay.lost == ["POST 200"]
    assert handler.lines == THREE_TOKENS
    assert far.beta.threads.runs.list(thread_id).data == [handler.get_final_run()]


def test_no_retries(relay: Relay, api_key: str) -> None:
    with OpenAI(base_url=relay.base_url, api_key=api_key, max_retries=0) as client:
        relay.losing = 1
        with pytest.raises(APIConnectionError):
            client.beta.threads.create()
    assert relay.lost == ["POST 200"]
