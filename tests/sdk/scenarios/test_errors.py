"""What goes wrong arrives as the SDK's own exceptions, with all that programs look at."""

from typing import Any

import pytest
from openai import (
    APIStatusError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OpenAI,
)

from tests.sdk.scenarios.users import function, outputs, start, thread_with, wait

ABSENT = "A" * 24


def test_wrong_key(base_url: str) -> None:
    wrong = OpenAI(base_url=base_url, api_key="rsk_live_wrong")
    with wrong as client, pytest.raises(AuthenticationError) as raised:
        client.beta.threads.create()
    assert raised.value.status_code == 401
    assert raised.value.code == "invalid_api_key"
    assert raised.value.type == "invalid_request_error"
    assert raised.value.param is None
    assert "rsk_live_wrong" not in raised.value.message
    assert raised.value.request_id
    assert raised.value.request_id.startswith("req_")


def test_not_found(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    assistant = client.beta.assistants.create(model="text-1")
    calls = [
        lambda: client.beta.threads.retrieve(f"thread_{ABSENT}"),
        lambda: client.beta.assistants.retrieve(f"asst_{ABSENT}"),
        lambda: client.beta.threads.messages.retrieve(f"msg_{ABSENT}", thread_id=thread.id),
        lambda: client.beta.threads.runs.retrieve(f"run_{ABSENT}", thread_id=thread.id),
        lambda: client.beta.threads.runs.create(thread.id, assistant_id=f"asst_{ABSENT}"),
        lambda: client.beta.threads.runs.create(f"thread_{ABSENT}", assistant_id=assistant.id),
        lambda: client.beta.threads.runs.cancel(f"run_{ABSENT}", thread_id=thread.id),
        lambda: client.beta.threads.runs.steps.list(f"run_{ABSENT}", thread_id=thread.id),
        lambda: client.beta.threads.runs.list(thread.id, after=f"run_{ABSENT}"),
    ]
    for call in calls:
        with pytest.raises(NotFoundError) as raised:
            call()
        assert raised.value.status_code == 404
        assert raised.value.type == "invalid_request_error"
        assert (raised.value.code, raised.value.param) == (None, None)
        assert raised.value.request_id
        assert ABSENT in raised.value.message


def test_an_id_of_another_kind(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.retrieve(f"run_{ABSENT}")
    assert (raised.value.code, raised.value.param) == ("invalid_value", "thread_id")
    assert "Expected an ID that begins with 'thread'." in raised.value.message


def test_a_run_of_another_thread(client: OpenAI) -> None:
    run = start(client, "text-1")
    other = client.beta.threads.create()
    with pytest.raises(NotFoundError) as raised:
        client.beta.threads.runs.retrieve(run.id, thread_id=other.id)
    assert f"No run found with id '{run.id}'." in raised.value.message


def test_bad_requests_name_the_parameter(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="text-1")
    thread = client.beta.threads.create()
    given: list[tuple[dict[str, Any], str, str]] = [
        ({"temperature": 3}, "decimal_above_max_value", "temperature"),
        ({"extra_body": {"colour": "red"}}, "unknown_parameter", "colour"),
        ({"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
        ({"tool_choice": "sometimes"}, "invalid_value", "tool_choice"),
    ]
    for fields, code, param in given:
        with pytest.raises(BadRequestError) as raised:
            client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, **fields)
        assert raised.value.status_code == 400
        assert (raised.value.code, raised.value.param) == (code, param)
        assert raised.value.type == "invalid_request_error"
    assert client.beta.threads.runs.list(thread.id).data == []
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.runs.list(thread.id, limit=101)
    assert (raised.value.code, raised.value.param) == ("integer_above_max_value", "limit")


def test_a_bad_request_for_a_stream(client: OpenAI) -> None:
    """Raised where the stream would have begun, whichever way it is asked for."""
    assistant = client.beta.assistants.create(model="text-1")
    thread = client.beta.threads.create()
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.runs.create(
            thread.id, assistant_id=assistant.id, stream=True, top_p=2.0
        )
    assert raised.value.param == "top_p"
    manager = client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, top_p=2.0
    )
    with pytest.raises(BadRequestError) as raised, manager as stream:
        stream.until_done()
    assert raised.value.param == "top_p"


def test_a_busy_thread(client: OpenAI) -> None:
    run = start(client, "silent-1")
    thread_id = run.thread_id
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.runs.create(thread_id, assistant_id=run.assistant_id)
    assert f"Thread {thread_id} already has an active run {run.id}." in raised.value.message
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.messages.create(thread_id, role="user", content="And?")
    text = f"Can't add messages to {thread_id} while a run {run.id} is active."
    assert text in raised.value.message
    client.beta.threads.runs.cancel(run.id, thread_id=thread_id)
    wait(client, run, "cancelled")
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.runs.cancel(run.id, thread_id=thread_id)
    assert "Cannot cancel run with status 'cancelled'." in raised.value.message


def test_outputs_that_do_not_fit(client: OpenAI) -> None:
    run = start(client, "tools-2-then-text-1", tools=[function("a"), function("b")])
    run = wait(client, run, "requires_action")
    one, two = outputs(run)
    wrong = [
        [one],
        [one, one],
        [one, two, {"tool_call_id": "call_other", "output": "?"}],
    ]
    for given in wrong:
        with pytest.raises(BadRequestError, match="Expected tool outputs for call_ids"):
            client.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=run.thread_id, tool_outputs=given
            )
    again = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert again == run
    done = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[two, one]
    )
    assert done.status == "completed"
    late = [{**one, "output": "something else"}, two]
    with pytest.raises(BadRequestError) as raised:
        client.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=late
        )
    assert 'Runs in status "completed" do not accept tool outputs.' in raised.value.message


def test_no_such_address(client: OpenAI) -> None:
    with pytest.raises(APIStatusError) as raised:
        client.get("/nowhere", cast_to=object)
    assert raised.value.status_code == 404
    assert "Invalid URL (GET /v1/nowhere)" in raised.value.message


@pytest.mark.anyio
async def test_errors_async(async_client: AsyncOpenAI, client: OpenAI) -> None:
    thread_id = thread_with(client)
    assistant = await async_client.beta.assistants.create(model="text-1")
    with pytest.raises(NotFoundError) as missing:
        await async_client.beta.threads.messages.retrieve(f"msg_{ABSENT}", thread_id=thread_id)
    assert f"No message found with id 'msg_{ABSENT}'." in missing.value.message
    assert missing.value.type == "invalid_request_error"
    with pytest.raises(BadRequestError) as refused:
        await async_client.beta.threads.runs.create(
            thread_id, assistant_id=assistant.id, temperature=3
        )
    assert (refused.value.code, refused.value.param) == ("decimal_above_max_value", "temperature")
    manager = async_client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant.id, temperature=3
    )
    with pytest.raises(BadRequestError) as refused:
        async with manager as stream:
            await stream.until_done()
    assert refused.value.request_id
    assert (await async_client.beta.threads.runs.list(thread_id)).data == []
