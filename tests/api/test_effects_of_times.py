"""The times of a run: how long it has, how long it waits for outputs, when it first began."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runs.contract.limits import CLOCK_SECONDS
from runs.models import Run
from runs.models.database import in_database
from tests.api.client import Api, ok
from tests.api.effects import CLOCK, HELLO, about, create, last_run, working
from tests.api.sse import Stream

pytestmark = pytest.mark.slow


@about("CreateRun.expires_in", "CreateThreadAndRun.expires_in")
@pytest.mark.parametrize(("given", "seconds"), [(1, 1), (CLOCK_SECONDS,) * 2, (None, 600)])
def test_a_run_has_the_time_it_asks_for(api, given, seconds):
    assistant = ok(api.post("/v1/assistants", {"model": "text-1"}))
    body = {"assistant_id": assistant["id"], "expires_in": given}
    thread = ok(api.post("/v1/threads"))
    for path in ("/v1/threads/runs", f"/v1/threads/{thread['id']}/runs"):
        run = ok(api.post(path, body))
        assert run["expires_at"] - run["created_at"] == seconds


async def two_waits(api: Api, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """A run that waits for outputs twice: as it is each time, and at its end."""
    call: tuple[str, dict[str, Any]] = (path, body | {"stream": True})
    for status in ("requires_action", "requires_action", "completed"):
        run = last_run(await Stream.of(await api.acall("POST", *call)).rest())
        assert run["status"] == status
        yield run
        if status == "requires_action":
            (one,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            outputs = {"tool_outputs": [{"tool_call_id": one["id"]}], "stream": True}
            url = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
            call = (f"{url}/submit_tool_outputs", outputs)


TWO_WAITS = {"model": "tools-1-then-tools-1-then-text-1", "tools": [CLOCK]}


@about("CreateRun.action_expires_in", "CreateThreadAndRun.action_expires_in")
@pytest.mark.parametrize("given", [CLOCK_SECONDS, None])
async def test_a_wait_for_outputs_has_the_time_the_run_asks_for(api, upstream, given):
    assistant = await create(api, "assistants", TWO_WAITS)
    thread = await create(api, "threads", {"messages": [HELLO]})
    body = {"assistant_id": assistant["id"], "action_expires_in": given}
    async with working(upstream):
        for path in ("/v1/threads/runs", f"/v1/threads/{thread['id']}/runs"):
            before = int(time.time())
            async for run in two_waits(api, path, body):
                if run["status"] == "completed":
                    assert run["expires_at"] is None
                elif given is None:
                    assert run["expires_at"] == run["created_at"] + 600
                else:
                    assert before + given <= run["expires_at"] <= int(time.time()) + given
                    before = int(time.time())


async def test_a_run_keeps_the_time_at_which_it_first_began(api, upstream):
    assistant = await create(api, "assistants", TWO_WAITS)
    yesterday = timezone.now() - timedelta(days=1)
    started = []
    async with working(upstream):
        async for run in two_waits(api, "/v1/threads/runs", {"assistant_id": assistant["id"]}):
            started.append(run["started_at"])
            if len(started) == 1:  # so that no later claim is in the same second
                await in_database(Run.objects.update, started_at=yesterday)
    assert started[1:] == [int(yesterday.timestamp())] * 2
