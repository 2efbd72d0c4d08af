"""``runsite/demo``: the tool flow without any model behind the server."""

import json

from openai import OpenAI

from tests.sdk.scenarios.recorder import Recorder
from tests.sdk.scenarios.users import answer, function, outputs, start, wait


def test_it_calls_every_function_once_and_sums_up(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="runsite/demo", tools=[function("get_temperature"), function("get_rain")]
    )
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "What is the weather?"}]},
    )
    assert run.status == "requires_action"
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    assert [call.function.name for call in calls] == ["get_temperature", "get_rain"]
    assert all(set(json.loads(call.function.arguments)) == {"n"} for call in calls)
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run)
    )
    assert run.status == "completed"
    text = answer(client, run.thread_id)
    assert "get_temperature answered" in text
    assert "get_rain answered" in text


def test_it_streams_and_can_be_scripted(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="runsite/demo")
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "#long 12"}]},
        event_handler=Recorder(),
    ) as handler:
        text = "".join(handler.text_deltas)
    assert text == " ".join(f"word{i}" for i in range(1, 13))
    assert handler.events[-1] == "thread.run.completed"


def test_it_says_that_it_is_a_demo(client: OpenAI) -> None:
    run = wait(client, start(client, "runsite/demo"), "completed")
    raw = client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
    assert "demo" in raw.headers["x-runsite-warning"]


def test_it_fails_as_told(client: OpenAI) -> None:
    run = wait(client, start(client, "runsite/demo", "#fail rate_limit_exceeded"), "failed")
    assert run.last_error is not None
    assert run.last_error.code == "rate_limit_exceeded"
