"""Every event of a stream is valid by the published schema."""

import asyncio
from typing import Any

import pytest

from runs.api.streaming import error_frame
from runs.models.database import in_database
from tests.api.client import ok
from tests.api.executing import MODEL, executing
from tests.api.sse import Frame, Stream, one
from tests.factories import WEATHER, make_assistant
from tests.published import check, check_event, check_published

pytestmark = pytest.mark.slow


def test_the_error_event():
    frame = one(error_frame().removesuffix("\n\n"))
    assert isinstance(frame, Frame)
    check_event(frame)
    check_published("ErrorResponse", frame.wire)  # openai-python raises only for this shape


#: What the demo model is told, and the event with which the stream ends before ``done``.
SCRIPTS = {
    "#say Hello there.": "thread.run.completed",
    "#refuse": "thread.run.completed",
    "#length": "thread.run.incomplete",
    "#filter": "thread.run.incomplete",
    "#fail server_error": "thread.run.failed",
    "#fail invalid_prompt": "thread.run.failed",
    "#parallel 2 #say Done.": "thread.run.requires_action",
}


@pytest.mark.parametrize(("script", "ending"), SCRIPTS.items(), ids=SCRIPTS)
async def test_streams_of_executed_runs(api, script, ending):
    tools = [WEATHER] if "parallel" in script else []
    assistant = await in_database(make_assistant, api.project, model=MODEL, tools=tools)
    thread = {"messages": [{"role": "user", "content": script}]}
    body = {"assistant_id": assistant.id, "thread": thread, "stream": True}
    async with executing():
        stream = Stream.of(await api.acall("POST", "/v1/threads/runs", body))
        frames = await stream.rest()
        assert [frame.name for frame in frames[-2:]] == [ending, "done"]
        run = frames[-2].wire
        if run["required_action"]:
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
            calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in calls]
            stream = Stream.of(
                await api.acall("POST", path, {"tool_outputs": outputs, "stream": True})
            )
            frames += await stream.rest()
            assert frames[-2].name == "thread.run.completed"
    for frame in frames:
        check_event(frame)


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
async def test_streams_of_runs_that_are_ended(api, ending, settings):
    if ending == "expired":
        settings.RUNSITE_RUN_LIFETIME = 1
    assistant = await in_database(make_assistant, api.project, model=MODEL)
    thread = {"messages": [{"role": "user", "content": "#long 1000 #delay 20"}]}
    body = {"assistant_id": assistant.id, "thread": thread, "stream": True}
    async with executing():
        stream = Stream.of(await api.acall("POST", "/v1/threads/runs", body))
        frames: list[Any] = []
        async with asyncio.timeout(10):
            while not any(frame.name == "thread.message.delta" for frame in frames):
                frames += await stream.next()
        if ending == "cancelled":
            run = frames[1].wire
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/cancel"
            check("RunObject", ok(await api.acall("POST", path)))
        frames += await stream.rest()
    closing = ["thread.message.incomplete", f"thread.run.step.{ending}", f"thread.run.{ending}"]
    assert [frame.name for frame in frames[-4:]] == [*closing, "done"]
    assert frames[-4].wire["content"][0]["text"]["value"]
    for frame in frames:
        check_event(frame)
