"""Runs that are really executed: what a client sees from the first call to the last.

The order of events is the grammar of the original service's streams (recorded traffic).
"""

import re

import pytest

from runs.models import Run
from runs.models.database import in_database
from tests.api.client import error_of, ok
from tests.api.executing import MODEL, executing
from tests.api.sse import Stream, names
from tests.factories import WEATHER, make_assistant, make_message, make_thread

OPEN = "run.created run.queued run.in_progress "
TEXT = (
    "run.step.created run.step.in_progress message.created message.in_progress "
    "(message.delta )+message.completed run.step.completed "
)
CALLS = "run.step.created run.step.in_progress (run.step.delta )+"
RESUME = "run.step.completed run.queued run.in_progress "


@pytest.fixture
def thread(api):
    """An empty thread of the caller."""
    return make_thread(api.project)


@pytest.fixture
def assistant(api):
    """The demo model, with two functions."""
    other = {"type": "function", "function": {"name": "get_time"}}
    return make_assistant(api.project, model=MODEL, tools=[WEATHER, other])


@pytest.fixture
def url(thread):
    """Where the thread's runs are."""
    return f"/v1/threads/{thread.id}/runs"


def matches(frames, grammar):
    """Whether the events of a stream, ``done`` included, are as ``grammar`` says."""
    return re.fullmatch(grammar + "done ", "".join(f"{name} " for name in names(frames)))


async def start(api, url, assistant, **fields):
    """Start a run and read its stream to the end."""
    body = {"assistant_id": assistant.id, "stream": True} | fields
    return await Stream.of(await api.acall("POST", url, body)).rest()


def outputs_for(run, text="ok"):
    """Outputs for all calls that a run waits for."""
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return [{"tool_call_id": call["id"], "output": f"{text} {call['id']}"} for call in calls]


async def test_plain_text(api, thread, assistant, url):
    await in_database(make_message, thread, "#say Hello there, you.")
    async with executing():
        frames = await start(api, url, assistant, tools=[])
    assert matches(frames, OPEN + TEXT + "run.completed ")
    numbers = [frame.number for frame in frames[:-1]]
    assert numbers == sorted(set(numbers))
    deltas = [frame.wire for frame in frames if frame.name == "thread.message.delta"]
    parts = [delta["delta"]["content"][0] for delta in deltas]
    assert parts[0]["text"]["annotations"] == []
    assert all("role" not in delta["delta"] for delta in deltas)
    text = "".join(part["text"]["value"] for part in parts)
    assert text == "Hello there, you."
    message = next(frame.wire for frame in frames if frame.name == "thread.message.completed")
    assert message["content"] == [{"type": "text", "text": {"value": text, "annotations": []}}]
    ended = frames[-2].wire
    assert ended["usage"]["total_tokens"] > 0
    assert ok(await api.acall("GET", f"{url}/{ended['id']}")) == ended
    (listed,) = ok(await api.acall("GET", f"/v1/threads/{thread.id}/messages?limit=1"))["data"]
    assert listed == message


async def test_a_tool_round(api, thread, assistant, url):
    await in_database(make_message, thread, "How is it?")
    async with executing():
        frames = await start(api, url, assistant)
        assert matches(frames, OPEN + CALLS + "run.requires_action ")
        waiting = frames[-2].wire
        assert (waiting["usage"], waiting["status"]) == (None, "requires_action")
        outputs = outputs_for(waiting)
        assert len(outputs) == 2
        body = {"tool_outputs": outputs, "stream": True}
        path = f"{url}/{waiting['id']}/submit_tool_outputs"
        resumed = await Stream.of(await api.acall("POST", path, body)).rest()
        assert matches(resumed, RESUME + TEXT + "run.completed ")
        again = await Stream.of(await api.acall("POST", path, body)).rest()
        assert again == resumed  # the same call again attaches to the same events
        whole = await Stream.of(await api.acall("GET", f"{url}/{waiting['id']}/stream")).rest()
        assert whole[:-1] == [*frames[:-1], *resumed[:-1]]
    step = resumed[0].wire
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == [
        output["output"] for output in outputs
    ]
    steps = ok(await api.acall("GET", f"{url}/{waiting['id']}/steps?order=asc"))["data"]
    assert [one["type"] for one in steps] == ["tool_calls", "message_creation"]
    total = resumed[-2].wire["usage"]["total_tokens"]
    assert sum(one["usage"]["total_tokens"] for one in steps) == total


async def test_a_follower_sees_all_rounds(api, thread, assistant, url):
    await in_database(make_message, thread, "#rounds 2")
    async with executing():
        frames = await start(api, url, assistant)
        run = frames[-2].wire
        follower = Stream.of(await api.acall("GET", f"{url}/{run['id']}/stream?follow=1"))
        for _ in range(2):
            body = {"tool_outputs": outputs_for(run), "stream": True}
            path = f"{url}/{run['id']}/submit_tool_outputs"
            run = (await Stream.of(await api.acall("POST", path, body)).rest())[-2].wire
        assert run["status"] == "completed"
        seen = await follower.rest()
    rounds = OPEN + (CALLS + "run.requires_action " + RESUME) * 2
    assert matches(seen, rounds + TEXT + "run.completed ")


async def test_create_and_poll(api, thread, assistant, url):
    """One retrieve is enough: it is held until the run rests."""
    await in_database(make_message, thread, "How is it?")
    poll = {"X_Stainless_Poll_Helper": "true"}
    async with executing():
        run = ok(await api.acall("POST", url, {"assistant_id": assistant.id}))
        assert run["status"] == "queued"
        path = f"{url}/{run['id']}"
        run = ok(await api.acall("GET", path, **poll))
        assert run["status"] == "requires_action"
        body = {"tool_outputs": outputs_for(run)}
        ok(await api.acall("POST", f"{path}/submit_tool_outputs", body))
        run = ok(await api.acall("GET", path, **poll))
        assert run["status"] == "completed"


async def test_cancel_while_streaming(api, thread, assistant, url):
    await in_database(make_message, thread, "#long 1000 #delay 20")
    async with executing():
        body = {"assistant_id": assistant.id, "stream": True, "tools": []}
        stream = Stream.of(await api.acall("POST", url, body))
        frames = []
        while "message.delta" not in names(frames):
            frames += await stream.next()
        path = f"{url}/{frames[0].wire['id']}/cancel"
        cancelling = ok(await api.acall("POST", path))
        assert (cancelling["status"], cancelling["cancelled_at"]) == ("cancelling", None)
        error_of(await api.acall("POST", path), 400)
        frames += await stream.rest()
    opened = TEXT.removesuffix("message.completed run.step.completed ")
    end = "run.cancelling message.incomplete run.step.cancelled run.cancelled "
    assert matches(frames, OPEN + opened + end)
    assert (await in_database(Run.objects.get)).status == "cancelled"


async def test_a_failing_model_is_a_failed_run_and_no_error_event(api, thread, assistant, url):
    await in_database(make_message, thread, "#fail rate_limit_exceeded")
    async with executing():
        frames = await start(api, url, assistant, tools=[])
    assert matches(frames, OPEN + "run.failed ")
    assert frames[-2].wire["last_error"]["code"] == "rate_limit_exceeded"


async def test_a_client_that_leaves_does_not_stop_the_run(api, thread, assistant, url):
    await in_database(make_message, thread, "#long 30 #delay 10")
    async with executing():
        body = {"assistant_id": assistant.id, "stream": True, "tools": []}
        stream = Stream.of(await api.acall("POST", url, body))
        first = await stream.next()
        await stream.leave()
        path = f"{url}/{first[0].wire['id']}"
        last = first[-1].number
        back = Stream.of(await api.acall("GET", f"{path}/stream", Last_Event_ID=str(last)))
        await back.rest()
        assert back.frames[0].number > last
        assert names(back.frames)[-2:] == ["run.completed", "done"]
