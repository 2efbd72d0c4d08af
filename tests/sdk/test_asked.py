"""What the model behind the server is asked when users call it with the SDK."""

import pytest
from openai import OpenAI

from tests.sdk.scenarios.users import function, outputs
from tests.upstream import Upstream
from tests.upstream_reply import Request
from tests.upstream_script import expected_text

pytestmark = [
    pytest.mark.sdk,
    pytest.mark.process,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def contents(request: Request) -> list[str]:
    """The texts that a request of the model holds."""
    return [message["content"] for message in request.messages]


def test_what_the_user_wrote(client: OpenAI, upstream: Upstream) -> None:
    model = "text-6"
    assistant = client.beta.assistants.create(
        model=model, instructions="Be brief.", temperature=0.3
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "One"}])
    for content in ("Two", "Three"):
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id,
            assistant_id=assistant.id,
            additional_messages=[{"role": "user", "content": content}],
        )
        assert run.status == "completed"
    (_, asked) = [
        request
        for request in upstream.requests
        if request.model == model and "Be brief." in contents(request)
    ]
    assert [(message["role"], message["content"]) for message in asked.messages] == [
        ("system", "Be brief."),
        ("user", "One"),
        ("user", "Two"),
        ("assistant", expected_text(model)),
        ("user", "Three"),
    ]
    assert asked.body["temperature"] == 0.3


def test_what_the_tools_answered(client: OpenAI, upstream: Upstream) -> None:
    assistant = client.beta.assistants.create(
        model="tools-2-then-text-6", tools=[function("a"), function("b")]
    )
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "What do the tools say?"}]},
    )
    given = outputs(run)
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=given[::-1]
    )
    assert run.status == "completed"
    *_, asked = [
        request for request in upstream.requests if "What do the tools say?" in contents(request)
    ]
    told = [message for message in asked.messages if message["role"] == "tool"]
    assert [(message["tool_call_id"], message["content"]) for message in told] == [
        (one["tool_call_id"], one["output"]) for one in given
    ]
