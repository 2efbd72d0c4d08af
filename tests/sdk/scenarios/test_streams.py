"""Streams, by the helpers with event handlers and by ``stream=True``."""

from typing import Any

import pytest
from openai import AssistantEventHandler, OpenAI

from tests.sdk.scenarios.recorder import Recorder, collapsed
from tests.sdk.scenarios.users import (
    answer,
    expected_text,
    start,
    text_of,
    thread_with,
    wait,
)

OPENING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
MESSAGE = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
]

#: All that a handler is called with for an answer of three tokens.
THREE_TOKENS = """\
event thread.run.created
event thread.run.queued
event thread.run.in_progress
event thread.run.step.created
run_step_created
event thread.run.step.in_progress
event thread.message.created
message_created
event thread.message.in_progress
event thread.message.delta
text_created 'w0 '
text_delta 'w0 ' 'w0 '
message_delta
event thread.message.delta
text_delta 'w1 ' 'w0 w1 '
message_delta
event thread.message.delta
text_delta 'w2 ' 'w0 w1 w2 '
message_delta
event thread.message.completed
text_done 'w0 w1 w2 '
message_done completed
event thread.run.step.completed
run_step_done completed
event thread.run.completed
end
""".splitlines()


def test_every_callback_in_order(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        handler.until_done()
    assert handler.lines == THREE_TOKENS
    run = handler.get_final_run()
    assert run == handler.current_run
    assert run.status == "completed"
    assert run.usage is not None
    assert run.usage.completion_tokens == 3
    (message,) = handler.get_final_messages()
    assert text_of(message) == "w0 w1 w2 "
    assert message == client.beta.threads.messages.retrieve(message.id, thread_id=thread_id)
    (step,) = handler.get_final_run_steps()
    assert step.type == "message_creation"
    step = client.beta.threads.runs.steps.retrieve(step.id, run_id=run.id, thread_id=thread_id)
    assert step.status == "completed"


def test_create_and_run_stream(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Hello"}]},
        event_handler=Recorder(),
    ) as handler:
        assert list(handler.text_deltas) == ["w0 ", "w1 ", "w2 "]
    assert handler.lines == ["event thread.created", *THREE_TOKENS]


def test_streams_without_a_handler_of_ones_own(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant.id) as stream:
        names = [event.event for event in stream]
    assert collapsed(names) == [*OPENING, *MESSAGE, "thread.run.completed"]
    assert stream.get_final_run().status == "completed"


def test_stream_true(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    thread_id = thread_with(client)
    events = list(
        client.beta.threads.runs.create(thread_id=thread_id, assistant_id=assistant.id, stream=True)
    )
    assert collapsed([event.event for event in events]) == [
        *OPENING,
        *MESSAGE,
        "thread.run.completed",
    ]
    first, last = events[0], events[-1]
    assert first.event == "thread.run.created"
    assert first.data.status == "queued"
    assert last.event == "thread.run.completed"
    assert last.data == client.beta.threads.runs.retrieve(last.data.id, thread_id=thread_id)
    deltas = [event.data for event in events if event.event == "thread.message.delta"]
    parts = [part for delta in deltas for part in delta.delta.content or ()]
    assert [(part.index, part.type, part.text.value) for part in parts] == [
        (0, "text", "w0 "),
        (0, "text", "w1 "),
        (0, "text", "w2 "),
    ]


def test_create_thread_and_run_with_stream_true(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3")
    events = list(
        client.beta.threads.create_and_run(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "Hello"}]},
            stream=True,
        )
    )
    names = ["thread.created", *OPENING, *MESSAGE, "thread.run.completed"]
    assert collapsed([event.event for event in events]) == names
    created = events[0]
    assert created.event == "thread.created"
    assert answer(client, created.data.id) == "w0 w1 w2 "


def test_deltas_come_before_the_answer_is_whole(client: OpenAI, other_client: OpenAI) -> None:
    """This model says three words and then nothing more, until another client cancels."""
    assistant = client.beta.assistants.create(model="silent-3")
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        for event in handler:
            run = handler.current_run
            assert run is not None
            if event.event == "thread.message.delta" and handler.called[-1] == "message_delta":
                deltas = [line for line in handler.lines if line.startswith("text_delta")]
                if len(deltas) == 3:
                    told = other_client.beta.threads.runs.cancel(run.id, thread_id=thread_id)
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
    (message,) = handler.get_final_messages()
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "run_cancelled"
    run = client.beta.threads.runs.retrieve(handler.get_final_run().id, thread_id=thread_id)
    assert run.status == "cancelled"
    assert run.cancelled_at is not None


def test_cancel_in_mid_stream(client: OpenAI, other_client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-3000x20")
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        for event in handler:
            if event.event == "thread.message.delta" and handler.events.count(event.event) == 3:
                run = handler.current_run
                assert run is not None
                other_client.beta.threads.runs.cancel(run.id, thread_id=thread_id)
    assert collapsed(handler.events)[-4:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    # What was shown is what is kept.
    shown = [line for line in handler.lines if line.startswith("text_delta")]
    text = answer(client, thread_id)
    assert text == expected_text(f"text-{len(shown)}")
    assert handler.called[-4:] == [
        f"text_done {text!r}",
        "message_done incomplete",
        "run_step_done cancelled",
        "end",
    ]


def test_the_limit_of_tokens(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="length-2")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=Recorder(), max_completion_tokens=300
    ) as handler:
        handler.until_done()
    assert handler.lines[-7:] == [
        "event thread.message.incomplete",
        "text_done 'w0 w1 '",
        "message_done incomplete",
        "event thread.run.step.completed",
        "run_step_done completed",
        "event thread.run.incomplete",
        "end",
    ]
    run = handler.get_final_run()
    assert run.status == "incomplete"
    assert run.max_completion_tokens == 300
    assert run.incomplete_details is not None
    assert run.incomplete_details.reason == "max_completion_tokens"
    (message,) = handler.get_final_messages()
    assert message.incomplete_details is not None
    assert message.incomplete_details.reason == "max_tokens"


def test_a_refusal(client: OpenAI) -> None:
    """The older SDKs have no class for such a part, and give it as it came."""
    assistant = client.beta.assistants.create(model="refuse-3")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        handler.until_done()
    assert collapsed(handler.events)[4:] == [*MESSAGE, "thread.run.completed"]
    assert handler.called == [
        "run_step_created",
        "message_created",
        *["message_delta"] * 3,
        "message_done completed",
        "run_step_done completed",
        "end",
    ]
    run = handler.get_final_run()
    assert run.status == "completed"
    part: Any
    (part,) = client.beta.threads.messages.list(run.thread_id).data[0].content
    assert part.type == "refusal"
    assert part.refusal == "w0 w1 w2 "


def test_an_answer_without_a_word(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-0")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        handler.until_done()
    assert handler.events == ["thread.created", *OPENING, "thread.run.completed"]
    assert handler.called == ["end"]


def test_leaving_a_stream_does_not_cancel(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-30x20")
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=AssistantEventHandler()
    ) as stream:
        for event in stream:
            if event.event == "thread.message.delta":
                break
        run = stream.current_run
    assert run is not None
    run = wait(client, run, "completed", "cancelled", "failed")
    assert run.status == "completed"
    assert answer(client, thread_id) == expected_text("text-30")


@pytest.mark.parametrize("words", [1, 300])
def test_a_burst(client: OpenAI, words: int) -> None:
    """All of an answer at once."""
    model = f"text-{words}"
    run = start(client, model)
    wait(client, run, "completed")
    assistant = client.beta.assistants.create(model=model)
    with client.beta.threads.runs.stream(
        thread_id=run.thread_id, assistant_id=assistant.id
    ) as stream:
        assert "".join(stream.text_deltas) == expected_text(model)


def test_a_model_that_is_silent_for_a_while(client: OpenAI) -> None:
    """The comments that keep the connection alive meanwhile are no events."""
    model = "text-2x8000"
    with client.beta.threads.runs.stream(
        thread_id=thread_with(client), assistant_id=client.beta.assistants.create(model=model).id
    ) as stream:
        stream.until_done()
        assert [text_of(message) for message in stream.get_final_messages()] == [
            expected_text(model)
        ]
