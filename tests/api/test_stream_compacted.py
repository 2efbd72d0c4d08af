"""The stream of a run whose log was compacted: valid, complete, and taken up anywhere."""

import pytest

from runs import operations
from runs.models import Run
from runs.models.database import in_database
from tests.api.grammar import story
from tests.api.scene import checked, last_run
from tests.api.sse import DONE, Frame
from tests.api.stories import ONE, OPEN, RESUME, START, WRITING, WRITTEN, scene_fixture
from tests.upstream_script import text

pytestmark = pytest.mark.slow

__all__ = ["scene_fixture"]


@pytest.fixture
async def ended(scene):
    """A run of text, a call and text again; the whole stream of it."""
    frames = await checked(await scene.create(text("Let "), text("me "), text("see."), *ONE))
    run = last_run(frames)
    await checked(await scene.submit(run, *map(text, "Sunny!")), "resume")
    return run, await checked(await scene.attach(run))


async def compact(run):
    await in_database(lambda: operations.compact_run(Run.objects.get(id=run["id"])))


def said(frames: list[Frame]) -> dict[str, str]:
    """The texts and arguments that the deltas add up to, by message or step."""
    parts: dict[str, str] = {}
    for frame in frames:
        if frame.name == "thread.message.delta":
            (part,) = frame.wire["delta"]["content"]
            added = part["text"]["value"]
        elif frame.name == "thread.run.step.delta":
            (part,) = frame.wire["delta"]["step_details"]["tool_calls"]
            added = part["function"]["arguments"]
        else:
            continue
        parts[frame.wire["id"]] = parts.get(frame.wire["id"], "") + added
    return parts


async def test_it_keeps_to_the_grammar_with_one_delta_a_part(scene, ended):
    run, before = ended
    await compact(run)
    after = await checked(await scene.attach(run))
    assert story(after) == (
        f"{START} {WRITING} message.delta {WRITTEN} {OPEN} step.delta*2 run.requires_action"
        f" {RESUME} {WRITING} message.delta {WRITTEN} run.completed done"
    )
    assert said(after) == said(before)
    assert last_run(after) == last_run(before)
    assert len(after) < len(before)


async def test_a_reader_who_had_a_part_of_it_gets_the_rest(scene, ended):
    run, before = ended
    await compact(run)
    for place in range(len(before)):
        seen = before[:place]
        last = str(seen[-1].number) if seen else "0"
        stream = await scene.attach(run, Last_Event_ID=last)
        rest = await stream.rest()
        assert rest[-1] == DONE
        assert said([*seen, *rest]) == said(before), last
