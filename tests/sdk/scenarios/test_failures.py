"""An upstream that fails makes the run ``failed``: data, never an exception of the SDK."""

import asyncio

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.sdk.scenarios.recorder import AsyncRecorder, Recorder
from tests.sdk.scenarios.users import answer, expected_text, start, wait

#: What the upstream does -> the error's code, and a part of its message. Where the upstream is
#: asked again this takes 3.5 s, so all of them go at once.
FAILURES = {
    "status-400": ("invalid_prompt", "scripted 400"),
    "status-401": ("server_error", "scripted 401"),
    "status-404": ("server_error", "scripted 404"),
    "status-429": ("rate_limit_exceeded", "scripted 429"),
    "status-500": ("server_error", "scripted 500"),
    "status-503": ("server_error", "scripted 503"),
    "drop-0": ("server_error", ""),
}


@pytest.mark.anyio
async def test_failures_before_the_first_word(async_client: AsyncOpenAI) -> None:
    async def fail(model: str) -> AsyncRecorder:
        assistant = await async_client.beta.assistants.create(model=model)
        async with async_client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id, event_handler=AsyncRecorder()
        ) as handler:
            await handler.until_done()
        return handler

    handlers = await asyncio.gather(*map(fail, FAILURES))
    for handler, (code, words) in zip(handlers, FAILURES.values(), strict=True):
        assert handler.lines == [
            "event thread.created",
            "event thread.run.created",
            "event thread.run.queued",
            "event thread.run.in_progress",
            "event thread.run.failed",
            "end",
        ]
        run = await handler.get_final_run()
        assert run.status == "failed"
        assert run.failed_at is not None
        assert run.last_error is not None
        assert run.last_error.code == code
        assert words in run.last_error.message
        assert run == await async_client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


@pytest.mark.anyio
async def test_failures_that_pass(async_client: AsyncOpenAI) -> None:
    """Nobody sees them."""

    async def recover(model: str) -> str:
        assistant = await async_client.beta.assistants.create(model=model)
        async with async_client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id
        ) as stream:
            return "".join([text async for text in stream.text_deltas])

    models = ["status-500x1-then-text-3", "status-429x2-then-text-3"]
    assert await asyncio.gather(*map(recover, models)) == ["w0 w1 w2 "] * 2


def test_a_connection_that_breaks_in_mid_answer(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="drop-2")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        handler.until_done()
    assert handler.lines[-7:] == [
        "event thread.message.incomplete",
        "text_done 'w0 w1 '",
        "message_done incomplete",
        "event thread.run.step.failed",
        "run_step_done failed",
        "event thread.run.failed",
        "end",
    ]
    run = handler.get_final_run()
    assert run.last_error is not None
    assert run.last_error.code == "server_error"
    (message,) = handler.get_final_messages()
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "run_failed"
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert step.status == "failed"
    assert step.last_error is not None
    assert step.last_error.code == "server_error"
    # The thread is free, and the next run is told what was said.
    assistant = client.beta.assistants.create(model="text-2")
    run = client.beta.threads.runs.create_and_poll(
        thread_id=run.thread_id, assistant_id=assistant.id
    )
    assert run.status == "completed"
    assert answer(client, run.thread_id) == expected_text("text-2")


def test_polling_a_run_that_fails(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="status-401")
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
    assert run.status == "failed"
    assert run.last_error is not None
    assert "scripted 401" in run.last_error.message
    assert run.completed_at is None
    assert run.expires_at is None
    assert client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data == []


def test_an_upstream_that_never_answers(client: OpenAI, other_client: OpenAI) -> None:
    run = wait(client, start(client, "hang"), "in_progress")
    assert (
        other_client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id).status
        == "cancelling"
    )
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id)
    assert run.status == "cancelled"
    assert client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data == []
