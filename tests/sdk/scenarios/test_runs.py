"""The operations on runs and steps, written as a user of the retired service wrote them."""

import time

from openai import OpenAI

from tests.sdk.scenarios.users import answer, function, outputs, start, thread_with, wait


def test_create_and_retrieve_until_completed(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        name="Math Tutor",
        instructions="You are a personal math tutor.",
        model="text-3",
    )
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(
        thread_id=thread.id,
        role="user",
        content="I need to solve the equation `3x + 11 = 14`. Can you help me?",
    )
    run = client.beta.threads.runs.create(
        thread_id=thread.id,
        assistant_id=assistant.id,
        instructions="Please address the user as Jane Doe.",
        metadata={"a": "b"},
        max_completion_tokens=300,
        temperature=0.5,
        extra_body={"parallel_tool_calls": False},  # younger than the oldest of these SDKs
    )
    assert run.id.startswith("run_")
    assert run.object == "thread.run"
    assert run.status == "queued"
    assert (run.thread_id, run.assistant_id) == (thread.id, assistant.id)
    assert (run.model, run.tools, run.metadata) == ("text-3", [], {"a": "b"})
    assert run.instructions == "Please address the user as Jane Doe."
    assert (run.max_completion_tokens, run.temperature) == (300, 0.5)
    assert run.model_dump()["parallel_tool_calls"] is False
    assert run.expires_at == run.created_at + 600
    assert run.usage is None

    while run.status == "queued" or run.status == "in_progress":
        run = client.beta.threads.runs.retrieve(thread_id=thread.id, run_id=run.id)
        time.sleep(0.02)

    assert run.status == "completed"
    assert run.usage is not None
    assert run.usage.completion_tokens == 3
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens
    assert run.started_at is not None
    assert run.completed_at is not None
    assert run.expires_at is None
    assert run.last_error is None
    messages = client.beta.threads.messages.list(thread_id=thread.id, order="asc")
    assert [found.role for found in messages] == ["user", "assistant"]
    assert messages.data[0].id == message.id
    assert messages.data[1].run_id == run.id
    assert messages.data[1].assistant_id == assistant.id
    assert answer(client, thread.id) == "w0 w1 w2 "
    assert client.beta.threads.runs.list(thread.id).data == [run]


def test_create_thread_and_run(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-2")
    run = client.beta.threads.create_and_run(
        assistant_id=assistant.id,
        thread={
            "messages": [
                {"role": "user", "content": "Explain deep learning to a 5 year old."},
            ],
            "metadata": {"topic": "learning"},
        },
    )
    assert run.status == "queued"
    assert client.beta.threads.retrieve(run.thread_id).metadata == {"topic": "learning"}
    assert wait(client, run, "completed", "failed").status == "completed"
    assert answer(client, run.thread_id) == "w0 w1 "


def test_what_a_run_may_have_of_its_own(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="text-9", instructions="Be brief.", tools=[function("a")], top_p=0.5
    )
    thread_id = thread_with(client)
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread_id,
        assistant_id=assistant.id,
        model="text-1",
        tools=[function("b")],
        tool_choice={"type": "function", "function": {"name": "b"}},
        additional_instructions="And kind.",
        additional_messages=[{"role": "user", "content": "More"}],
        truncation_strategy={"type": "last_messages", "last_messages": 5},
        response_format={"type": "json_object"},
    )
    assert run.status == "completed"
    assert run.model == "text-1"
    assert run.instructions == "Be brief.\n\nAnd kind."
    assert [tool.function.name for tool in run.tools if tool.type == "function"] == ["b"]
    assert run.tool_choice is not None
    assert not isinstance(run.tool_choice, str)
    assert run.tool_choice.function is not None
    assert run.tool_choice.function.name == "b"
    assert run.top_p == 0.5
    assert run.truncation_strategy is not None
    assert run.truncation_strategy.last_messages == 5
    assert run.response_format is not None
    assert not isinstance(run.response_format, str)
    assert run.response_format.type == "json_object"
    messages = client.beta.threads.messages.list(thread_id, order="asc")
    texts = [message.content[0].text.value for message in messages]
    assert texts == ["Hello", "More", "w0 "]


def test_update_run(client: OpenAI) -> None:
    run = start(client, "silent-1")
    updated = client.beta.threads.runs.update(
        thread_id=run.thread_id,
        run_id=run.id,
        metadata={"user_id": "user_abc123"},
    )
    assert updated.metadata == {"user_id": "user_abc123"}
    assert updated.status in ("queued", "in_progress")
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    run = wait(client, run, "cancelled")
    assert run.metadata == {"user_id": "user_abc123"}
    run = client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"done": "yes"})
    assert run.metadata == {"done": "yes"}
    assert run.status == "cancelled"


def test_cancel_run(client: OpenAI) -> None:
    run = start(client, "silent-3")
    run = wait(client, run, "in_progress")
    cancelled = client.beta.threads.runs.cancel(thread_id=run.thread_id, run_id=run.id)
    assert cancelled.status == "cancelling"
    run = wait(client, run, "cancelled")
    assert run.cancelled_at is not None
    assert run.completed_at is None
    assert run.expires_at is None


def test_list_and_retrieve_run_steps(client: OpenAI) -> None:
    run = start(client, "text-2+tools-1-then-text-3", tools=[function("some_tool")])
    run = wait(client, run, "requires_action")
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run)
    )
    assert run.status == "completed"
    steps = client.beta.threads.runs.steps.list(run_id=run.id, thread_id=run.thread_id)
    assert [step.type for step in steps] == ["message_creation", "tool_calls", "message_creation"]
    assert {step.status for step in steps} == {"completed"}
    assert run.usage is not None
    counted = [step.usage.total_tokens for step in steps if step.usage]
    assert sum(counted) == run.usage.total_tokens

    last, tools, first = steps.data
    texts = []
    for step in (first, last):
        assert step.step_details.type == "message_creation"
        message = client.beta.threads.messages.retrieve(
            step.step_details.message_creation.message_id, thread_id=run.thread_id
        )
        assert message.run_id == run.id
        assert message.status == "completed"
        texts.append(message.content[0].text.value)
    assert texts == ["w0 w1 ", "w0 w1 w2 "]
    # `include` is an argument of the younger SDKs; sent in the query by all.
    include = {"include": ["step_details.tool_calls[*].file_search.results[*].content"]}
    step = client.beta.threads.runs.steps.retrieve(
        thread_id=run.thread_id, run_id=run.id, step_id=tools.id, extra_query=include
    )
    assert step == tools
    assert step.step_details.type == "tool_calls"
    (call,) = step.step_details.tool_calls
    assert call.type == "function"
    assert call.function.name == "some_tool"
    assert call.function.output == "some_tool answered"
    found = client.beta.threads.runs.steps.list(
        run.id, thread_id=run.thread_id, limit=1, order="asc", extra_query=include
    )
    assert [step.id for step in found] == [first.id, tools.id, last.id]
