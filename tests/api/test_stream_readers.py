"""Readers of one run: early, late, slow, coming back, going away. Each gets the same bytes."""

import asyncio
from contextlib import contextmanager

import pytest
from django.conf import settings

from runs.events.hub import BOUND, hub
from runs.models import Run
from runs.models.database import in_database
from tests.api.grammar import check, story
from tests.api.scene import Scene, checked, last_run, until
from tests.api.sse import SECONDS, quiet, readers_are
from tests.upstream import upstream_fixture
from tests.upstream_script import call, gate, text

pytestmark = pytest.mark.slow

__all__ = ["upstream_fixture"]

CALLS = [
    call("", call_id="call_a", name="get_weather"),
    call('{"city": "Oslo"}'),
    call("{}", index=1, call_id="call_b", name="get_time"),
]
WAYS = {
    "header": lambda number: {"Last_Event_ID": str(number)},
    "query": lambda number: {"query": f"?after={number}"},
    "both": lambda number: {"query": "?after=1", "Last_Event_ID": str(number)},
}


@pytest.fixture
async def scene(api, upstream, monkeypatch):
    """A scripted model behind the API; nobody reads when the test is over."""
    monkeypatch.setattr("runs.events.hub.LOOK_SECONDS", 0.05)
    async with (await in_database(Scene, api, upstream)).at_work() as scene:
        yield scene
    assert hub.readers() == 0


def rests(raw):
    """For each number in a stream, and 0 before them: what follows it, byte by byte."""
    pieces = quiet(raw).split(b"id: ")
    assert pieces[0] == b""
    found = {}
    for place in range(len(pieces)):
        number = int(pieces[place].split(b"\n")[0]) if place else 0
        tail = b"".join(b"id: " + piece for piece in pieces[place + 1 :])
        found[number] = tail or pieces[-1][pieces[-1].index(b"event: done") :]
    return found


async def all_of(stream):
    """All bytes of a stream, but for comments."""
    await stream.rest()
    return quiet(stream.raw)


@pytest.mark.parametrize("way", WAYS)
async def test_a_waiting_and_an_ended_run_from_every_position(scene, way):
    stream = await scene.create(text("Let me look."), *CALLS)
    run = last_run(await checked(stream))
    for number, rest in rests(stream.raw).items():
        assert await all_of(await scene.attach(run, **WAYS[way](number))) == rest
    await checked(await scene.submit(run, text("Sun"), text("ny")), "resume")
    whole = await scene.attach(run)
    assert "requires_action step.completed run.queued" in story(await checked(whole))
    assert len(rests(whole.raw)) == 30
    for number, rest in rests(whole.raw).items():
        assert await all_of(await scene.attach(run, **WAYS[way](number))) == rest


@pytest.mark.parametrize("way", WAYS)
async def test_a_running_run_from_every_position(scene, way):
    """All come while the model is silent; what it says afterwards reaches each of them."""
    stream = await scene.create(text("a"), text("b"), gate("on"), text("c"), text("d"))
    got = await stream.until("message.delta", 2)
    run = got[0].wire
    numbers = [0, *(frame.number for frame in got)]
    late = {number: await scene.attach(run, **WAYS[way](number)) for number in numbers}
    reading = {number: asyncio.create_task(all_of(one)) for number, one in late.items()}
    await readers_are(len(numbers) + 1)
    scene.upstream.open("on")
    await checked(stream)
    expected = rests(stream.raw)
    for number, task in reading.items():
        assert await task == expected[number]


async def test_coming_back_after_each_event_while_it_is_delivered(scene):
    """A reader that takes one write, goes, and comes back for the next; its pieces are the log."""
    count = 12
    plan = [step for n in range(count) for step in (gate(f"g{n}"), text(f"w{n} "))]
    stream = await scene.create(*plan)
    got = await stream.until("run.in_progress")
    run, raw = got[0].wire, quiet(stream.raw)
    await stream.leave()
    for n in range(count):
        scene.upstream.open(f"g{n}")
        back = await scene.attach(run, Last_Event_ID=str(got[-1].number))
        got = await back.until("message.delta")
        raw += quiet(back.raw)  # what comes while it leaves, it has not taken
        await back.leave()
    raw += await all_of(await scene.attach(run, Last_Event_ID=str(got[-1].number)))
    check(raw)
    assert raw == await all_of(await scene.attach(run))


async def test_twenty_readers_get_the_same_bytes(scene):
    gates = [f"g{n}" for n in range(10)]
    plan = [step for name in gates for step in (gate(name), text(f"{name} "), text("and "))]
    creating = await scene.create(*plan)
    run = (await creating.until("run.in_progress"))[0].wire
    reading = [asyncio.create_task(all_of(creating))]
    for name in gates:
        reading += [asyncio.create_task(all_of(await scene.attach(run))) for _ in range(2)]
        scene.upstream.open(name)
    seen = [await task for task in reading]
    check(seen[0])
    assert len(seen) == 21
    assert len(set(seen)) == 1


def tasks_of_readers():
    """All tasks; but not those of an engine that works with libraries: these come and go."""
    if settings.RUNSITE_ENGINE == "local":
        return asyncio.all_tasks()
    codes = {task: getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks()}
    files = {task: code.co_filename for task, code in codes.items() if code}
    return {task for task, file in files.items() if "/runs/" in file and "/engines/" not in file}


async def test_readers_that_leave_disturb_nobody(scene):
    """Neither the run nor those who stay; nothing of them is left in the process."""
    before = tasks_of_readers()
    gates = [f"g{n}" for n in range(10)]
    plan = [step for name in gates for step in (text(f"{name} "), gate(name))]
    creating = await scene.create(*plan)
    run = (await creating.until("message.delta"))[0].wire
    staying = await scene.attach(run)
    reading = asyncio.create_task(all_of(staying))
    leaving = [await scene.attach(run) for _ in gates]
    for name, one in zip(gates, leaving, strict=True):
        await one.until("message.delta")
        await one.leave()
        scene.upstream.open(name)
    await creating.leave()
    check(await reading)
    assert (await in_database(Run.objects.get)).status == "completed"
    await readers_are(0)
    async with asyncio.timeout(SECONDS):
        while tasks_of_readers() - before:
            await asyncio.sleep(0.01)


async def test_nobody_reads_and_the_run_goes_on(scene):
    stream = await scene.create(text("a"), gate("on"), text("b"))
    run = (await stream.until("message.delta"))[0].wire
    await stream.leave()
    await readers_are(0)
    scene.upstream.open("on")
    await until(lambda: Run.objects.get().status == "completed")
    seen = await checked(await scene.attach(run))
    assert "message.delta*2 message.completed" in story(seen)


async def test_a_reader_that_reads_nothing_until_the_end_gets_all(scene):
    """More than is held for it: it goes back to the log."""
    count = BOUND + 200
    slow = await scene.create(gate("on"), *(text(f"{n} ") for n in range(count)))
    got = await slow.until("run.in_progress")
    fast = await scene.attach(got[0].wire)
    reading = asyncio.create_task(all_of(fast))
    await readers_are(2)
    scene.upstream.open("on")
    whole = await reading
    assert await all_of(slow) == whole
    assert f"message.delta*{count} message.completed" in story(check(whole))


@contextmanager
def short_beat(monkeypatch):
    """Keep-alives come quickly for streams that are opened inside the block."""
    with monkeypatch.context() as patched:
        patched.setattr("runs.contract.limits.KEEP_ALIVE_SECONDS", 0.02)
        yield


async def test_following_over_pauses(scene, monkeypatch):
    with short_beat(monkeypatch):
        frames = await checked(await scene.create(*CALLS))
        run = last_run(frames)
        follower = await scene.attach(run, "?follow=1")
        for pause in range(1, 4):
            await follower.until("run.requires_action", pause)
            while await follower.next() != [": ping"]:  # it stays, and hears that it does
                pass
            assert hub.readers() == 1
            plan = CALLS if pause < 3 else [text("Done")]
            run = last_run(await checked(await scene.submit(run, *plan), "resume"))
        seen = await checked(follower)
    assert seen == await checked(await scene.attach(run))
    assert story(seen).count("run.requires_action") == 3


async def test_a_number_beyond_the_end_of_the_log_is_waited_for(scene, monkeypatch):
    """It may have been shown, and be on its way into the log."""
    with short_beat(monkeypatch):
        stream = await scene.create(text("a"), gate("on"), *(text(f"{n} ") for n in range(9)))
        got = await stream.until("message.delta")
        ahead = got[-1].number + 5
        beyond = await scene.attach(got[0].wire, Last_Event_ID=str(ahead))
        never = await scene.attach(got[0].wire, Last_Event_ID=str(10**9))
        for _ in range(3):
            assert await beyond.next() == [": ping"]
            assert await never.next() == [": ping"]
        scene.upstream.open("on")
        whole = await all_of(stream)
        assert await all_of(beyond) == rests(whole)[ahead]
        assert await all_of(never) == b"event: done\ndata: [DONE]\n\n"
