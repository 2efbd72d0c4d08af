"""The helpers that poll, and how often they have to ask."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import DefaultHttpxClient, OpenAI

from tests.sdk.scenarios.users import answer, expected_text, function, start


class Counted:
    """A client and the answers to its calls of retrieve-run."""

    def __init__(self, base_url: str, api_key: str):
        self.poll_after: list[str] = []
        self.client = OpenAI(
            base_url=base_url,
            api_key=api_key,
            http_client=DefaultHttpxClient(event_hooks={"response": [self.note]}),
        )

    def note(self, response: Any) -> None:
        """Of httpx or httpx2, as the SDK's age is."""
        request = response.request
        if request.method == "GET" and "/runs/run_" in request.url.path:
            self.poll_after.append(response.headers["openai-poll-after-ms"])


@pytest.fixture
def counted(base_url: str, api_key: str) -> Iterator[Counted]:
    """A client that counts; for this alone more than address and key is set."""
    counted = Counted(base_url, api_key)
    with counted.client:
        yield counted


def test_an_instant_model_takes_one_retrieve(counted: Counted) -> None:
    client = counted.client
    assistant = client.beta.assistants.create(model="text-5")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    assert answer(client, thread.id) == expected_text("text-5")
    *before, last = counted.poll_after
    assert set(before) <= {"20"}  # there are none, unless the machine took 0.8 s for this
    assert last in ("20", "250")  # it was held, or all was over when it came


def test_a_slow_model_takes_few_retrieves(counted: Counted) -> None:
    """Each answer but the last is held for 0.8 s; the SDK waits 20 ms after it, not a second."""
    client = counted.client
    assistant = client.beta.assistants.create(model="text-50x40")  # 2 s
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
    assert run.status == "completed"
    *before, _ = counted.poll_after
    assert before
    assert set(before) == {"20"}
    assert run.completed_at is not None
    assert len(before) <= (run.completed_at + 1 - run.created_at) / 0.8


def test_a_plain_retrieve_is_not_held(counted: Counted) -> None:
    client = counted.client
    run = start(client, "hang")
    found = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert found.status in ("queued", "in_progress")
    assert counted.poll_after == ["250"]
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)


def test_an_interval_of_ones_own(client: OpenAI) -> None:
    run = start(client, "text-20x20")
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=10)
    assert run.status == "completed"
    assistant = client.beta.assistants.create(model="text-3")
    run = client.beta.threads.runs.create_and_poll(
        thread_id=run.thread_id, assistant_id=assistant.id, poll_interval_ms=10
    )
    assert run.status == "completed"
    assert answer(client, run.thread_id) == "w0 w1 w2 "


@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("length-5", "incomplete"),
        ("filter-5", "incomplete"),
        ("status-400", "failed"),
        ("refuse-3", "completed"),
        ("tools-1", "requires_action"),
    ],
)
def test_polling_ends_with_every_ending(client: OpenAI, model: str, status: str) -> None:
    assistant = client.beta.assistants.create(model=model, tools=[function("a")])
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
    assert run.status == status
    reasons = {"length-5": "max_completion_tokens", "filter-5": "content_filter"}
    reason = run.incomplete_details.reason if run.incomplete_details else None
    assert reason == reasons.get(model)
    assert (run.last_error is not None) == (status == "failed")
    assert (run.required_action is not None) == (status == "requires_action")


def test_polling_sees_a_cancel(client: OpenAI, other_client: OpenAI) -> None:
    run = start(client, "silent-2")
    other_client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id)
    assert run.status == "cancelled"
