"""Assistants, threads and messages: create, retrieve, update, delete."""

from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from tests.sdk.scenarios.users import answer, function, start, text_of, wait


def test_an_assistant(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="openai/gpt-4o",
        name="One",
        description="The first.",
        instructions="Be brief.",
        tools=[function("a"), {"type": "code_interpreter"}],
        metadata={"a": "b"},
        temperature=0.5,
        response_format={"type": "json_object"},
    )
    assert assistant.id.startswith("asst_")
    assert (assistant.model, assistant.name) == ("openai/gpt-4o", "One")
    assert (assistant.description, assistant.instructions) == ("The first.", "Be brief.")
    assert [tool.type for tool in assistant.tools] == ["function", "code_interpreter"]
    assert (assistant.temperature, assistant.top_p) == (0.5, 1.0)
    assert client.beta.assistants.retrieve(assistant.id) == assistant

    updated = client.beta.assistants.update(assistant.id, name="Two", metadata={"c": "d"}, tools=[])
    assert (updated.name, updated.metadata, updated.tools) == ("Two", {"c": "d"}, [])
    assert (updated.model, updated.instructions) == ("openai/gpt-4o", "Be brief.")
    assert client.beta.assistants.retrieve(assistant.id) == updated

    gone = client.beta.assistants.delete(assistant.id)
    assert (gone.id, gone.object, gone.deleted) == (assistant.id, "assistant.deleted", True)
    with pytest.raises(NotFoundError):
        client.beta.assistants.retrieve(assistant.id)


def test_a_thread(client: OpenAI) -> None:
    empty = client.beta.threads.create()
    assert empty.id.startswith("thread_")
    assert empty.metadata == {}
    assert client.beta.threads.messages.list(empty.id).data == []
    thread = client.beta.threads.create(
        messages=[
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two", "metadata": {"a": "b"}},
        ],
        metadata={"c": "d"},
    )
    assert thread.metadata == {"c": "d"}
    assert client.beta.threads.retrieve(thread.id) == thread
    messages = client.beta.threads.messages.list(thread.id, order="asc").data
    assert [(message.role, text_of(message)) for message in messages] == [
        ("user", "One"),
        ("assistant", "Two"),
    ]
    assert messages[1].metadata == {"a": "b"}
    updated = client.beta.threads.update(thread.id, metadata={"e": "f"})
    assert updated.metadata == {"e": "f"}
    assert client.beta.threads.retrieve(thread.id) == updated
    gone = client.beta.threads.delete(thread.id)
    assert (gone.id, gone.object, gone.deleted) == (thread.id, "thread.deleted", True)
    with pytest.raises(NotFoundError):
        client.beta.threads.retrieve(thread.id)
    with pytest.raises(NotFoundError):
        client.beta.threads.messages.list(thread.id)


def test_a_message(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(
        thread.id,
        role="user",
        content=[{"type": "text", "text": "Hello"}],
        metadata={"a": "b"},
        attachments=[{"file_id": "file-abc123", "tools": [{"type": "file_search"}]}],
    )
    assert message.id.startswith("msg_")
    assert (message.thread_id, message.role, message.run_id) == (thread.id, "user", None)
    assert text_of(message) == "Hello"
    assert message.status == "completed"
    assert message.metadata == {"a": "b"}
    assert message.attachments is not None
    assert [attachment.file_id for attachment in message.attachments] == ["file-abc123"]
    found = client.beta.threads.messages.retrieve(message.id, thread_id=thread.id)
    assert found == message
    updated = client.beta.threads.messages.update(
        message.id, thread_id=thread.id, metadata={"c": "d"}
    )
    assert updated.metadata == {"c": "d"}
    assert updated.content == message.content
    gone = client.beta.threads.messages.delete(message.id, thread_id=thread.id)
    assert (gone.id, gone.object, gone.deleted) == (message.id, "thread.message.deleted", True)
    with pytest.raises(NotFoundError):
        client.beta.threads.messages.retrieve(message.id, thread_id=thread.id)


def test_a_message_with_pictures(client: OpenAI) -> None:
    url = "https://example.com/cat.png"
    content: list[Any] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": "file-abc123"}},
    ]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": content}])
    (message,) = client.beta.threads.messages.list(thread.id).data
    text, link, file = message.content
    assert text.type == "text"
    assert text.text.value == "What is this?"
    assert text.text.annotations == []
    assert link.type == "image_url"
    assert (link.image_url.url, link.image_url.detail) == (url, "low")
    assert file.type == "image_file"
    assert file.image_file.file_id == "file-abc123"
    assistant = client.beta.assistants.create(model="text-2")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    assert answer(client, thread.id) == "w0 w1 "


def test_a_run_outlives_its_assistant(client: OpenAI) -> None:
    run = start(client, "text-3")
    assert client.beta.assistants.delete(run.assistant_id).deleted
    run = wait(client, run, "completed", "failed")
    assert run.status == "completed"
    assert answer(client, run.thread_id) == "w0 w1 w2 "


def test_deleting_a_thread_ends_its_stream(client: OpenAI, other_client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="silent-2")
    events = []
    for event in client.beta.threads.create_and_run(assistant_id=assistant.id, stream=True):
        events.append(event)
        if event.event == "thread.message.delta" and event.data.delta.content:
            part = event.data.delta.content[0]
            if part.type == "text" and part.text and part.text.value == "w1 ":
                created = events[0]
                assert created.event == "thread.created"
                assert other_client.beta.threads.delete(created.data.id).deleted
    last = events[-1]
    assert last.event == "thread.run.cancelled"
    with pytest.raises(NotFoundError):
        client.beta.threads.runs.retrieve(last.data.id, thread_id=last.data.thread_id)
