"""Function tools, by polling and in streams."""

from openai import OpenAI

from tests.sdk.scenarios.recorder import Recorder, collapsed
from tests.sdk.scenarios.users import answer, function, outputs, start, thread_with, wait

#: All that a handler is called with while one call is made, from the opening of its step.
ONE_CALL = """\
event thread.run.step.created
run_step_created
event thread.run.step.in_progress
event thread.run.step.delta
tool_call_created some_tool()
run_step_delta
event thread.run.step.delta
tool_call_delta None({"n) some_tool({"n)
run_step_delta
event thread.run.step.delta
tool_call_delta None(": 0}) some_tool({"n": 0})
run_step_delta
""".splitlines()
#: And while the outputs are answered with two tokens.
ANSWERED = """\
event thread.run.step.completed
run_step_done completed
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
event thread.message.completed
text_done 'w0 w1 '
message_done completed
event thread.run.step.completed
run_step_done completed
event thread.run.completed
end
""".splitlines()
OPENING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
RESUMED = ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
MESSAGE = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
]
CALLS = ["thread.run.step.created", "thread.run.step.in_progress", "thread.run.step.delta"]


def test_one_call_answered_by_hand(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="tools-1-then-text-2", tools=[function("get_weather")]
    )
    thread_id = thread_with(client, "Weather?")
    run = client.beta.threads.runs.create(thread_id=thread_id, assistant_id=assistant.id)
    run = wait(client, run, "requires_action", "failed")
    assert run.required_action is not None
    assert run.required_action.type == "submit_tool_outputs"
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert call.function.arguments == '{"n": 0}'
    assert run.usage is None
    assert run.expires_at is not None
    run = client.beta.threads.runs.submit_tool_outputs(
        run.id,
        thread_id=thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "57"}],
    )
    assert run.status == "queued"
    assert run.required_action is None
    run = wait(client, run, "completed", "failed")
    assert run.status == "completed"
    assert run.expires_at is None
    assert answer(client, thread_id) == "w0 w1 "
    last, first = client.beta.threads.runs.steps.list(run.id, thread_id=thread_id).data
    assert first.step_details.type == "tool_calls"
    (kept,) = first.step_details.tool_calls
    assert kept.type == "function"
    assert (kept.id, kept.function.name, kept.function.output) == (call.id, "get_weather", "57")
    assert last.step_details.type == "message_creation"


def test_two_rounds_of_polling(client: OpenAI) -> None:
    """Three calls at once of two tools, then one more, then the answer."""
    assistant = client.beta.assistants.create(
        model="tools-3-then-tools-1-then-text-2", tools=[function("a"), function("b")]
    )
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
    for names in (["a answered", "b answered", "a answered"], ["a answered"]):
        given = outputs(run)
        assert [one["output"] for one in given] == names
        assert len({one["tool_call_id"] for one in given}) == len(names)
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=given
        )
    assert run.status == "completed"
    assert answer(client, run.thread_id) == "w0 w1 "
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")
    assert [step.type for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
    assert run.usage is not None
    counted = [step.usage.total_tokens for step in steps if step.usage]
    assert sum(counted) == run.usage.total_tokens


def test_every_callback_of_one_call_in_order(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="tools-1-then-text-2", tools=[function("some_tool")]
    )
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        run = handler.get_final_run()
    assert handler.lines == [
        *[f"event {name}" for name in OPENING],
        *ONE_CALL,
        "event thread.run.requires_action",
        'tool_call_done some_tool({"n": 0})',
        "end",
    ]
    (step,) = handler.get_final_run_steps()
    assert step.status == "in_progress"
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread_id, tool_outputs=outputs(run), event_handler=Recorder()
    ) as handler:
        handler.until_done()
    assert handler.lines == ANSWERED
    assert handler.get_final_run().status == "completed"


def test_parallel_calls_in_a_stream(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="tools-2-then-text-2", tools=[function("some_tool"), function("other")]
    )
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        run = handler.get_final_run()
    assert [line for line in handler.called if line != "run_step_delta"] == [
        "run_step_created",
        "tool_call_created some_tool()",
        'tool_call_delta None({"n) some_tool({"n)',
        'tool_call_delta None(": 0}) some_tool({"n": 0})',
        'tool_call_done some_tool({"n": 0})',
        "tool_call_created other()",
        'tool_call_delta None({"n) other({"n)',
        'tool_call_delta None(": 1}) other({"n": 1})',
        'tool_call_done other({"n": 1})',
        "end",
    ]
    (step,) = handler.get_final_run_steps()
    assert step.step_details.type == "tool_calls"
    given = outputs(run)
    assert [call.id for call in step.step_details.tool_calls] == [
        one["tool_call_id"] for one in given
    ]
    # In whatever order they are given.
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=given[::-1],
        event_handler=Recorder(),
    ) as handler:
        handler.until_done()
    assert handler.lines == ANSWERED


def test_text_and_calls_in_one_turn(client: OpenAI) -> None:
    """Two parallel calls, then text and a call in one turn, then the answer."""
    assistant = client.beta.assistants.create(
        model="tools-2-then-text-2+tools-1-then-text-3",
        tools=[function("first"), function("second")],
    )
    thread_id = thread_with(client)
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, event_handler=Recorder()
    ) as handler:
        run = handler.get_final_run()
    assert collapsed(handler.events) == [*OPENING, *CALLS, "thread.run.requires_action"]

    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread_id, tool_outputs=outputs(run), event_handler=Recorder()
    ) as handler:
        run = handler.get_final_run()
    assert collapsed(handler.events) == [
        *RESUMED,
        *MESSAGE,
        *CALLS,
        "thread.run.requires_action",
    ]
    (message,) = handler.get_final_messages()
    assert message.status == "completed"
    assert handler.called[-2:] == ['tool_call_done first({"n": 0})', "end"]
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread_id, order="asc")
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
        ("tool_calls", "in_progress"),
    ]

    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread_id, tool_outputs=outputs(run), event_handler=Recorder()
    ) as handler:
        assert list(handler.text_deltas) == ["w0 ", "w1 ", "w2 "]
    assert collapsed(handler.events) == [*RESUMED, *MESSAGE, "thread.run.completed"]
    messages = client.beta.threads.messages.list(thread_id, run_id=run.id, order="asc")
    texts = [message.content[0].text.value for message in messages]
    assert texts == ["w0 w1 ", "w0 w1 w2 "]


def test_submit_with_stream_true(client: OpenAI) -> None:
    """The stream begins with the step that the outputs completed, and it holds them."""
    run = start(client, "tools-2-then-text-1", tools=[function("a"), function("b")])
    run = wait(client, run, "requires_action")
    events = list(
        client.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=outputs(run), stream=True
        )
    )
    assert [event.event for event in events] == [*RESUMED, *MESSAGE, "thread.run.completed"]
    first = events[0]
    assert first.event == "thread.run.step.completed"
    assert first.data.step_details.type == "tool_calls"
    held = [
        call.function.output
        for call in first.data.step_details.tool_calls
        if call.type == "function"
    ]
    assert held == ["a answered", "b answered"]


def test_cancel_a_run_that_waits(client: OpenAI) -> None:
    run = start(client, "tools-1-then-text-1", tools=[function("some")])
    run = wait(client, run, "requires_action")
    run = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert run.status == "cancelled"
    assert run.required_action is None
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert step.status == "cancelled"
    # The thread is free again.
    client.beta.threads.messages.create(run.thread_id, role="user", content="Never mind.")
