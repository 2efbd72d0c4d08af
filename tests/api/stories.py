"""What stories of streams are made of, and the scene on which they are played."""

import pytest

from runs.events.hub import hub
from runs.models.database import in_database
from tests.api.scene import Scene
from tests.upstream_script import call

START = "run.created run.queued run.in_progress"
RESUME = "step.completed run.queued run.in_progress"
OPEN = "step.created step.in_progress"
WRITING = f"{OPEN} message.created message.in_progress"
WRITTEN = "message.completed step.completed"

ONE = [
    call("", call_id="call_a", name="get_weather"),
    call('{"city"'),
    call(': "Oslo"}'),
]


@pytest.fixture(name="scene")
async def scene_fixture(api, upstream, monkeypatch):
    """A scripted model behind the API; what repeats repeats quickly."""
    monkeypatch.setattr("runs.execution.drive.RETRY_SECONDS", 0.005)
    monkeypatch.setattr("runs.execution.watchdog.SECONDS", 0.02)
    async with (await in_database(Scene, api, upstream)).at_work() as scene:
        yield scene
    assert hub.readers() == 0
