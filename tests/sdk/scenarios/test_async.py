"""The same surface through the asyncio client."""

import asyncio

import pytest
from openai import AsyncOpenAI
from openai.types.beta.threads import Run

from tests.sdk.scenarios.recorder import AsyncRecorder
from tests.sdk.scenarios.test_streams import THREE_TOKENS
from tests.sdk.scenarios.test_tools import ANSWERED, ONE_CALL, RESUMED
from tests.sdk.scenarios.users import PATIENCE_SECONDS, expected_text, function, outputs, text_of

pytestmark = pytest.mark.anyio


async def wait(client: AsyncOpenAI, run: Run, *statuses: str) -> Run:
    """Retrieve until the run has one of ``statuses``."""

    async def loop() -> Run:
        found = run
        while found.status not in statuses:
            await asyncio.sleep(0.02)
            found = await client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        return found

    return await asyncio.wait_for(loop(), PATIENCE_SECONDS)


async def answer(client: AsyncOpenAI, thread_id: str) -> str:
    """The text of the newest message of a thread."""
    page = await client.beta.threads.messages.list(thread_id, limit=1)
    return text_of(page.data[0])


async def test_the_objects(async_client: AsyncOpenAI) -> None:
    beta = async_client.beta
    assistant = await beta.assistants.create(model="text-1", name="One")
    assert await beta.assistants.retrieve(assistant.id) == assistant
    assert (await beta.assistants.update(assistant.id, name="Two")).name == "Two"
    thread = await beta.threads.create(metadata={"a": "b"})
    assert await beta.threads.retrieve(thread.id) == thread
    assert (await beta.threads.update(thread.id, metadata={})).metadata == {}
    message = await beta.threads.messages.create(thread.id, role="user", content="Hello")
    found = await beta.threads.messages.retrieve(message.id, thread_id=thread.id)
    assert found == message
    updated = await beta.threads.messages.update(
        message.id, thread_id=thread.id, metadata={"c": "d"}
    )
    assert updated.metadata == {"c": "d"}
    assert (await beta.threads.messages.delete(message.id, thread_id=thread.id)).deleted
    assert (await beta.threads.delete(thread.id)).deleted
    assert (await beta.assistants.delete(assistant.id)).deleted


async def test_create_retrieve_list(async_client: AsyncOpenAI) -> None:
    beta = async_client.beta
    assistant = await beta.assistants.create(model="text-3")
    thread = await beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    run = await beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "queued"
    run = await beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"a": "b"})
    run = await wait(async_client, run, "completed", "failed")
    assert (run.status, run.metadata) == ("completed", {"a": "b"})
    assert (await beta.threads.runs.list(thread.id)).data == [run]
    (step,) = (await beta.threads.runs.steps.list(run.id, thread_id=thread.id)).data
    found = await beta.threads.runs.steps.retrieve(step.id, run_id=run.id, thread_id=thread.id)
    assert found == step
    assert await answer(async_client, thread.id) == "w0 w1 w2 "


async def test_polling_with_tools(async_client: AsyncOpenAI) -> None:
    runs = async_client.beta.threads.runs
    assistant = await async_client.beta.assistants.create(
        model="tools-2-then-tools-1-then-text-3", tools=[function("a"), function("b")]
    )
    thread = await async_client.beta.threads.create()
    run = await runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    for _ in range(2):
        run = await runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
        )
    assert run.status == "completed"
    assert await answer(async_client, thread.id) == "w0 w1 w2 "
    run = await async_client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
    assert run.status == "requires_action"
    run = await runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs(run))
    assert run.status == "queued"
    run = await runs.poll(run.id, thread_id=run.thread_id)
    assert run.status == "requires_action"


async def test_every_callback_in_order(async_client: AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(model="text-3")
    thread = await async_client.beta.threads.create()
    async with async_client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=AsyncRecorder()
    ) as handler:
        await handler.until_done()
    assert handler.lines == THREE_TOKENS
    assert (await handler.get_final_run()).status == "completed"
    (message,) = await handler.get_final_messages()
    assert text_of(message) == "w0 w1 w2 "
    async with async_client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=AsyncRecorder()
    ) as handler:
        assert [text async for text in handler.text_deltas] == ["w0 ", "w1 ", "w2 "]
    assert handler.lines == ["event thread.created", *THREE_TOKENS]


async def test_every_callback_of_one_call_in_order(async_client: AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(
        model="tools-1-then-text-2", tools=[function("some_tool")]
    )
    thread = await async_client.beta.threads.create()
    async with async_client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=AsyncRecorder()
    ) as handler:
        run = await handler.get_final_run()
    assert handler.lines[3:] == [
        *ONE_CALL,
        "event thread.run.requires_action",
        'tool_call_done some_tool({"n": 0})',
        "end",
    ]
    async with async_client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread.id,
        tool_outputs=outputs(run),
        event_handler=AsyncRecorder(),
    ) as handler:
        await handler.until_done()
    assert handler.lines == ANSWERED


async def test_stream_true(async_client: AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(
        model="tools-2-then-text-3", tools=[function("a"), function("b")]
    )
    stream = await async_client.beta.threads.create_and_run(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Hello"}]},
        stream=True,
    )
    events = [event async for event in stream]
    assert [event.event for event in events][:2] == ["thread.created", "thread.run.created"]
    last = events[-1]
    assert last.event == "thread.run.requires_action"
    stream = await async_client.beta.threads.runs.submit_tool_outputs(
        last.data.id,
        thread_id=last.data.thread_id,
        tool_outputs=outputs(last.data),
        stream=True,
    )
    names = [event.event async for event in stream]
    assert names[:3] == RESUMED
    assert names[-1] == "thread.run.completed"
    stream = await async_client.beta.threads.runs.create(
        thread_id=last.data.thread_id,
        assistant_id=assistant.id,
        additional_messages=[{"role": "user", "content": "Again"}],
        stream=True,
    )
    names = [event.event async for event in stream]
    assert names[0] == "thread.run.created"
    assert names[-1] == "thread.run.requires_action"


async def test_cancel_while_streaming(async_client: AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(model="silent-3")
    async with async_client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=AsyncRecorder()
    ) as handler:
        async for event in handler:
            run = handler.current_run
            if event.event == "thread.message.delta" and "text_delta 'w2 '" in handler.lines[-2]:
                assert run is not None
                told = await async_client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
                assert told.status == "cancelling"
    tail = handler.lines[handler.lines.index("event thread.run.cancelling") :]
    assert tail == [
        "event thread.run.cancelling",
        "event thread.message.incomplete",
        "text_done 'w0 w1 w2 '",
        "message_done incomplete",
        "event thread.run.step.cancelled",
        "run_step_done cancelled",
        "event thread.run.cancelled",
        "end",
    ]


async def test_many_runs_at_once(async_client: AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(model="text-5x10")

    async def one(content: str) -> str:
        run = await async_client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": content}]},
        )
        assert run.status == "completed"
        return await answer(async_client, run.thread_id)

    async def streamed() -> str:
        async with async_client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id
        ) as stream:
            return "".join([text async for text in stream.text_deltas])

    polled = [one(f"Number {i}") for i in range(6)]
    answers = await asyncio.gather(*polled, *(streamed() for _ in range(6)))
    assert answers == [expected_text("text-5")] * 12
