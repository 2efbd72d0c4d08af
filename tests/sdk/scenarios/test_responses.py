"""Raw and streamed responses: what stands in headers, and bodies as they come."""

import json

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.sdk.scenarios.users import start, thread_with, wait


def test_a_raw_response(client: OpenAI) -> None:
    run = start(client, "text-3")
    wait(client, run, "completed")
    raw = client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["openai-version"] == "2020-10-01"
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["openai-poll-after-ms"] == "250"
    parsed = raw.parse()
    assert parsed.status == "completed"
    assert json.loads(raw.text)["id"] == parsed.id == run.id
    created = client.beta.threads.with_raw_response.create()
    assert created.headers["x-request-id"] != raw.headers["x-request-id"]
    assert created.parse().object == "thread"


def test_a_raw_stream(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    thread_id = thread_with(client)
    raw = client.beta.threads.runs.with_raw_response.create(
        thread_id, assistant_id=assistant.id, stream=True
    )
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert raw.headers["cache-control"] == "no-cache"
    names = [event.event for event in raw.parse()]
    assert (names[0], names[-1]) == ("thread.run.created", "thread.run.completed")


def test_a_streamed_response(client: OpenAI) -> None:
    """Line by line, as the wire has it: numbers that ascend, and ``done`` as the last."""
    assistant = client.beta.assistants.create(model="text-3")
    thread_id = thread_with(client)
    with client.beta.threads.runs.with_streaming_response.create(
        thread_id, assistant_id=assistant.id, stream=True
    ) as response:
        assert response.status_code == 200
        lines = list(response.iter_lines())
    frames = [frame.split("\n") for frame in "\n".join(lines).strip().split("\n\n")]
    frames = [frame for frame in frames if frame != [": ping"]]
    assert frames.pop() == ["event: done", "data: [DONE]"]
    numbers = [int(number.removeprefix("id: ")) for number, _, _ in frames]
    assert numbers == sorted(set(numbers))
    names = [name.removeprefix("event: ") for _, name, _ in frames]
    assert names.count("thread.message.delta") == 3
    assert names[-1] == "thread.run.completed"
    run = json.loads(frames[-1][2].removeprefix("data: "))
    assert run["status"] == "completed"
    with client.beta.threads.runs.with_streaming_response.retrieve(
        run["id"], thread_id=thread_id
    ) as response:
        assert response.parse().usage is not None


@pytest.mark.anyio
async def test_responses_async(async_client: AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(model="text-3")
    raw = await async_client.beta.threads.with_raw_response.create_and_run(
        assistant_id=assistant.id, stream=True
    )
    names = [event.event async for event in raw.parse()]
    assert (names[0], names[-1]) == ("thread.created", "thread.run.completed")
    async with async_client.beta.threads.with_streaming_response.create_and_run(
        assistant_id=assistant.id, stream=True
    ) as response:
        assert response.headers["x-request-id"].startswith("req_")
        lines = [line async for line in response.iter_lines()]
    assert [line for line in lines if line][-2:] == ["event: done", "data: [DONE]"]
