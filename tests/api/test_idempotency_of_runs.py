"""Runs that are executed, when the calls are repeated with the same ``Idempotency-Key``."""

import json

import pytest

from runs.models import Run
from runs.models.database import in_database
from tests.api.client import REPLAYED
from tests.api.executing import MODEL, executing
from tests.api.sse import Stream, names
from tests.factories import WEATHER, make_assistant, make_message, make_thread

pytestmark = pytest.mark.slow

# --- runs that are executed ---


async def stream(api, path, body, key):
    """A call that streams."""
    answer = await api.acall("POST", path, body | {"stream": True}, Idempotency_Key=key)
    return Stream.of(answer)


async def test_a_stream_is_repeated_from_the_log(api):
    """From its beginning, also for a reader who lost it after the first event."""
    assistant = await in_database(make_assistant, api.project, model=MODEL)
    body = {
        "assistant_id": assistant.id,
        "thread": {"messages": [{"role": "user", "content": "#delay 20\nHello"}]},
    }
    async with executing():
        lost = await stream(api, "/v1/threads/runs", body, "a")
        await lost.next()
        await lost.content.aclose()
        again = await stream(api, "/v1/threads/runs", body, "a")
        frames = await again.rest()
        late = await stream(api, "/v1/threads/runs", body, "a")
        assert await late.rest() == frames
    assert REPLAYED not in lost.answer
    assert (again.answer[REPLAYED], late.answer[REPLAYED]) == ("true", "true")
    assert names(frames)[:3] == ["created", "run.created", "run.queued"]
    assert names(frames)[-2:] == ["run.completed", "done"]
    assert await in_database(Run.objects.count) == 1


async def test_a_run_created_with_a_key_is_executed(api):
    """The hint reaches the engine once all is committed."""
    assistant = await in_database(make_assistant, api.project, model=MODEL)
    thread = await in_database(make_thread, api.project)
    path, body = f"/v1/threads/{thread.id}/runs", {"assistant_id": assistant.id}
    async with executing():
        first = await api.acall("POST", path, body, Idempotency_Key="a")
        run = json.loads(first.content)
        attached = await api.acall("GET", f"{path}/{run['id']}/stream")
        assert names(await Stream.of(attached).rest())[-2:] == ["run.completed", "done"]
        again = await api.acall("POST", path, body, Idempotency_Key="a")
    assert json.loads(again.content) == run
    assert run["status"] == "queued"  # the answer of the first call, not the run as it is now


async def test_a_submission_is_repeated_from_where_it_began(api):
    assistant = await in_database(make_assistant, api.project, model=MODEL, tools=[WEATHER])
    thread = await in_database(make_thread, api.project)
    await in_database(make_message, thread, "What is the weather?")
    path = f"/v1/threads/{thread.id}/runs"
    async with executing():
        first = await stream(api, path, {"assistant_id": assistant.id}, "create")
        *_, waiting, _ = await first.rest()
        assert waiting.name == "thread.run.requires_action"
        (call,) = waiting.wire["required_action"]["submit_tool_outputs"]["tool_calls"]
        answer = {"tool_outputs": [{"tool_call_id": call["id"], "output": "rain"}]}
        url = f"{path}/{waiting.wire['id']}/submit_tool_outputs"
        frames = await (await stream(api, url, answer, "submit")).rest()
        again = await stream(api, url, answer, "submit")
        assert await again.rest() == frames
        assert again.answer[REPLAYED] == "true"
        ended = await stream(api, path, {"assistant_id": assistant.id}, "create")
        pauses = await ended.rest()
    assert names(frames)[:2] == ["run.step.completed", "run.queued"]
    assert frames[0].number == waiting.number + 1
    assert names(pauses)[-2:] == ["run.completed", "done"]  # through the pause, to the end
    assert pauses[-len(frames) :] == frames
