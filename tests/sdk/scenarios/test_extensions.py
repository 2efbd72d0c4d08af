"""What Runsite does beyond the original service, asked for with the SDK's own means."""

import asyncio
import uuid
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI
from openai.pagination import SyncCursorPage
from openai.types.beta import Thread
from openai.types.beta.threads import Run

from tests.sdk.scenarios.recorder import Recorder
from tests.sdk.scenarios.test_streams import THREE_TOKENS
from tests.sdk.scenarios.users import answer, function, start, text_of, thread_with, wait


def test_a_run_in_line(client: OpenAI, other_client: OpenAI) -> None:
    """It is streamed from its place in the line, and begins when the thread is free."""
    first = wait(client, start(client, "hang"), "in_progress")
    thread_id = first.thread_id
    assistant = client.beta.assistants.create(model="text-3")
    with client.beta.threads.runs.stream(
        thread_id=thread_id,
        assistant_id=assistant.id,
        additional_messages=[{"role": "user", "content": "And then?"}],
        extra_body={"on_active_run": "queue"},
        event_handler=Recorder(),
    ) as handler:
        for event in handler:
            if event.event == "thread.run.queued":
                # What it brings along is not in the thread before its turn.
                held = client.beta.threads.messages.list(thread_id)
                assert [text_of(message) for message in held] == ["Hello"]
                other_client.beta.threads.runs.cancel(first.id, thread_id=thread_id)
    assert handler.lines == THREE_TOKENS
    run = client.beta.threads.runs.retrieve(first.id, thread_id=thread_id)
    assert run.status == "cancelled"
    messages = client.beta.threads.messages.list(thread_id, order="asc")
    assert [text_of(message) for message in messages] == [
        "Hello",
        "And then?",
        "w0 w1 w2 ",
    ]


def test_a_run_that_takes_the_place_of_another(client: OpenAI) -> None:
    first = wait(client, start(client, "silent-1"), "in_progress")
    assistant = client.beta.assistants.create(model="text-3")
    run = client.beta.threads.runs.create_and_poll(
        thread_id=first.thread_id,
        assistant_id=assistant.id,
        extra_body={"on_active_run": "cancel"},
    )
    assert run.status == "completed"
    assert answer(client, first.thread_id) == "w0 w1 w2 "
    first = client.beta.threads.runs.retrieve(first.id, thread_id=first.thread_id)
    assert first.status == "cancelled"


def test_a_clock_of_its_own(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="hang")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, extra_body={"expires_in": 1}
    )
    assert run.status == "expired"
    assert run.last_error is None
    assistant = client.beta.assistants.create(model="silent-2")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, extra_body={"expires_in": 1}, event_handler=Recorder()
    ) as handler:
        handler.until_done()
    assert handler.lines[-2:] == ["event thread.run.expired", "end"]
    assert handler.get_final_run().status == "expired"


def test_a_clock_for_the_wait(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="tools-1-then-text-1", tools=[function("a")])
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        extra_body={"action_expires_in": 1},
        event_handler=Recorder(),
    ) as handler:
        handler.until_done()
    assert "thread.run.requires_action" in handler.events
    run = handler.get_final_run()
    run = wait(client, run, "expired", "cancelled", "completed", "failed")
    assert run.status == "expired"
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert step.status == "expired"


def key() -> dict[str, str]:
    """A header that nobody has sent yet."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def test_a_call_that_is_made_twice(client: OpenAI) -> None:
    headers = key()
    thread = client.beta.threads.create(metadata={"a": "b"}, extra_headers=headers)
    raw = client.beta.threads.with_raw_response.create(metadata={"a": "b"}, extra_headers=headers)
    assert raw.headers["idempotent-replayed"] == "true"
    assert raw.parse() == thread
    other = client.beta.threads.with_raw_response.create(metadata={"a": "b"}, extra_headers=key())
    assert "idempotent-replayed" not in other.headers
    assert other.parse().id != thread.id
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.create(metadata={"c": "d"}, extra_headers=headers)
    assert raised.value.code == "idempotency_key_reuse"


def test_a_stream_that_is_asked_for_twice(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    thread_id = thread_with(client)
    headers = key()
    seen = []
    for _ in range(2):
        with client.beta.threads.runs.stream(
            thread_id=thread_id,
            assistant_id=assistant.id,
            event_handler=Recorder(),
            extra_headers=headers,
        ) as handler:
            handler.until_done()
        assert handler.lines == THREE_TOKENS
        seen.append(handler.get_final_run())
    assert seen[0] == seen[1]
    assert client.beta.threads.runs.list(thread_id).data == seen[:1]


@pytest.mark.anyio
async def test_the_same_call_at_once(async_client: AsyncOpenAI) -> None:
    """One of them does it, the others wait for its answer."""
    assistant = await async_client.beta.assistants.create(model="text-3")
    thread = await async_client.beta.threads.create()
    headers = key()
    calls = [
        async_client.beta.threads.runs.create(
            thread.id, assistant_id=assistant.id, extra_headers=headers
        )
        for _ in range(4)
    ]
    runs: list[Run] = await asyncio.gather(*calls)
    assert len({run.id for run in runs}) == 1
    assert len((await async_client.beta.threads.runs.list(thread.id)).data) == 1


def pages(client: OpenAI, path: str, model: Any, **query: Any) -> Any:
    """A list that the SDK has no method for."""
    return client.get_api_list(
        path, model=model, page=SyncCursorPage[model], options={"params": query}
    )


def test_runs_of_all_threads(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-1")
    made = [
        client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, metadata={"number": str(number)}
        ).id
        for number in range(3)
    ]
    found = pages(client, "/runs", Run, limit=2, assistant_id=assistant.id)
    assert [run.id for run in found] == made[::-1]
    query = {"assistant_id": assistant.id, "status": "completed", "metadata[number]": "1"}
    assert [run.id for run in pages(client, "/runs", Run, **query)] == [made[1]]


def test_threads_by_their_metadata(client: OpenAI) -> None:
    mark = str(uuid.uuid4())
    made = [client.beta.threads.create(metadata={"mark": mark}).id for _ in range(3)]
    query = {"limit": 2, "order": "asc", "metadata[mark]": mark}
    assert [thread.id for thread in pages(client, "/threads", Thread, **query)] == made
