"""Drivers that die, fall silent, wake up, or come in crowds."""

import asyncio

import pytest
from django.utils import timezone

from runs import operations
from runs.contract.limits import CLAIMS, NUMBER_JUMP
from runs.contract.status import RunStatus
from runs.events.log import StaleRun
from runs.execution import commits, watchdog
from runs.execution.drive import drive
from runs.execution.engines.watch import Watch
from runs.models import EventChunk, Message, Run, RunStep
from runs.models.database import in_database, in_writer
from tests.execution.scene import (
    OPEN,
    PAST,
    START,
    Reader,
    again,
    check_sane,
    delta_text,
    events_of,
    kill,
    later,
    message_text,
    story,
    until,
)
from tests.factories import make_run
from tests.upstream_script import HANG, call, gate, text

TEXT_TURN = f"{OPEN} message.delta*2 message.completed step.completed"
LOST = "message.incomplete step.failed"


def lapse(run):
    """Make the lease of whoever drives the run look long gone."""
    Run.objects.filter(id=run.id).update(lease_until=timezone.now() - PAST)


async def test_after_a_crash_in_mid_stream(scene):
    scene.upstream.play([text("w0 "), text("w1 "), text("w2 "), HANG], [text("a"), text("b")])
    run = await in_database(scene.create)
    async with scene.working() as worker:
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: reader.deltas() == 3)
        await worker.flusher.flush()
        await kill(driving)
        await in_database(lapse, run)
        await drive(run.id, worker)
        await reader.end()

    def check():
        found = again(run)
        assert found.status == "completed"
        assert story(run) == (f"{START} {OPEN} message.delta*3 {LOST} {TEXT_TURN} run.completed")
        numbers = [event.number for event in events_of(run)]
        (lost,) = [
            event.number for event in events_of(run) if event.name == "thread.message.incomplete"
        ]
        before = numbers[numbers.index(lost) - 1]
        assert lost == before + 1 + NUMBER_JUMP
        assert [event.number for event in reader.got] == numbers
        first, second = Message.objects.filter(run=run)
        assert (first.status, first.incomplete_reason) == ("incomplete", "run_failed")
        assert (message_text(first), message_text(second)) == ("w0 w1 w2 ", "ab")
        assert (first.interrupted, second.interrupted) == (True, False)
        failed, done = RunStep.objects.filter(run=run)
        assert failed.last_error == {
            "code": "server_error",
            "message": "The server was interrupted; this turn was run again.",
        }
        assert (failed.status, done.status) == ("failed", "completed")
        assert (failed.turn, done.turn) == (1, 1)
        assert found.turn == 1
        assert found.claims == 0
        check_sane(run)

    await in_database(check)
    one, two = scene.upstream.requests
    assert one.messages == two.messages  # nothing of the lost attempt is told to the model


async def test_what_was_shown_but_not_committed_is_never_numbered_again(scene):
    scene.upstream.play([text("w0 "), text("w1 "), HANG], [text("a"), text("b")])
    run = await in_database(scene.create)
    async with scene.working() as worker:
        worker.tasks[0].cancel()  # nothing is flushed
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: reader.deltas() == 2)
        await kill(driving)
        shown = {event.number: event for event in reader.got}
        await in_database(lapse, run)
        await drive(run.id, worker)
        await reader.end()

    def check():
        for event in events_of(run):
            assert shown.get(event.number, event) == event
        assert story(run) == f"{START} {OPEN} {LOST} {TEXT_TURN} run.completed"
        first = Message.objects.filter(run=run).first()
        assert first.content == [{"type": "text", "text": {"value": "", "annotations": []}}]

    await in_database(check)
    numbers = [event.number for event in reader.got]
    assert numbers == sorted(set(numbers))


async def test_a_crash_inside_tool_calls(scene):
    scene.upstream.play(
        [call('{"a"', call_id="c1", name="get_time"), HANG],
        [call("{}", call_id="c1", name="get_time")],
        [text("a"), text("b")],
    )
    run = await in_database(scene.create)
    async with scene.working() as worker:
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: reader.deltas() == 2)
        await kill(driving)
        await in_database(lapse, run)
        await drive(run.id, worker)
        assert (await later(run)).status == "requires_action"
        await in_database(scene.submit, run, "noon")
        await drive(run.id, worker)

    def check():
        assert again(run).status == "completed"
        steps = RunStep.objects.filter(run=run)
        assert [(s.type, s.status, s.turn) for s in steps] == [
            ("tool_calls", "failed", 1),
            ("tool_calls", "completed", 1),
            ("message_creation", "completed", 2),
        ]
        check_sane(run)

    await in_database(check)


async def test_a_crash_before_the_first_delta_leaves_no_trace(scene):
    scene.upstream.play([HANG], [text("a"), text("b")])
    run = await in_database(scene.create)
    async with scene.working() as worker:
        driving = asyncio.create_task(drive(run.id, worker))
        await until(lambda: scene.upstream.requests)
        await kill(driving)
        await in_database(lapse, run)
        await drive(run.id, worker)
    assert await in_database(story, run) == f"{START} {TEXT_TURN} run.completed"


async def test_a_turn_that_was_committed_is_not_run_again(scene):
    run = await in_database(scene.create, "tools-1-then-text-2")
    async with scene.working() as worker:
        await drive(run.id, worker)
        before = await in_database(story, run)
        await drive(run.id, worker)  # the hint comes again
        assert await in_database(story, run) == before
        await in_database(scene.submit, run, "ok")
        await drive(run.id, worker)
        await drive(run.id, worker)
    assert len(scene.upstream.requests) == 2
    assert (await later(run)).turn == 2


async def test_a_lost_driver_that_wakes_up_writes_nothing(scene):
    """It held still past its lease; another finished the run meanwhile."""
    late = [text("late ", delay=0.1)] * 50
    scene.upstream.play(
        [text("w0 "), text("w1 "), gate("late"), *late, HANG], [text("a"), text("b")]
    )
    run = await in_database(scene.create)
    async with scene.working() as sleeper, scene.working() as other:
        reader = Reader(run)
        driving = asyncio.create_task(drive(run.id, sleeper))
        await until(lambda: reader.deltas() == 2)
        await in_database(lapse, run)
        await drive(run.id, other)
        finished = await in_database(story, run)
        rows = await in_database(EventChunk.objects.filter(run=run).count)
        scene.upstream.open("late")
        await asyncio.wait_for(driving, 5)  # by itself, at the piece after its next flush
        assert await in_database(story, run) == finished
        assert await in_database(EventChunk.objects.filter(run=run).count) == rows
        await until(lambda: scene.upstream.requests[0].closed_at)
    assert "late" not in await in_database(delta_text, run)
    await in_database(check_sane, run)


def test_a_lost_driver_finds_the_place_of_its_step_taken(scene):
    run = scene.create()
    lost = commits.begin(run.id, "lost", 0, lambda model: "nobody").run
    commits.open_message(commits.begin(run.id, "later", 60, lambda model: "nobody").run)
    for open_step in (commits.open_message, commits.open_tools):
        with pytest.raises(StaleRun):
            open_step(lost)


async def test_a_lost_driver_whose_model_is_silent_learns_it_by_its_renewal(scene):
    scene.upstream.play([HANG], [text("a"), text("b")])
    run = await in_database(scene.create)
    async with scene.working(lease=0.3) as sleeper, scene.working() as other:
        driving = asyncio.create_task(drive(run.id, sleeper))
        await until(lambda: scene.upstream.requests)

        def steal():
            Run.objects.filter(id=run.id).update(lease_owner="gone", lease_until=timezone.now())

        await in_database(steal)
        await drive(run.id, other)
        await asyncio.wait_for(driving, 5)
        await until(lambda: scene.upstream.requests[0].closed_at)
    assert await in_database(story, run) == f"{START} {TEXT_TURN} run.completed"


def test_a_run_that_kills_its_drivers_is_given_up(scene):
    run = scene.create()
    Run.objects.filter(id=run.id).update(
        status=RunStatus.IN_PROGRESS, epoch=CLAIMS, claims=CLAIMS, lease_owner="dead"
    )
    lapse(run)
    run = scene.drive(run)
    assert run.status == "failed"
    assert run.last_error == {
        "code": "server_error",
        "message": "The server was interrupted 5 times during one turn; the run was given up.",
    }
    assert not scene.upstream.requests
    check_sane(run)


def test_the_last_claim_may_still_succeed(scene):
    run = scene.create("text-2")
    Run.objects.filter(id=run.id).update(
        status=RunStatus.IN_PROGRESS, epoch=CLAIMS - 1, claims=CLAIMS - 1, lease_owner="dead"
    )
    lapse(run)
    run = scene.drive(run)
    assert (run.status, run.claims) == ("completed", 0)


async def test_twenty_hints_at_once_are_one_claim(scene):
    run = await in_database(scene.create, "text-2")
    async with scene.working() as worker:
        await asyncio.gather(*(drive(run.id, worker) for _ in range(20)))
    found = await later(run)
    assert (found.status, found.epoch) == ("completed", 1)
    assert len(scene.upstream.requests) == 1


async def test_the_watchdog_finds_what_no_hint_came_for(scene):
    """Both runs exist before there is anybody to hear a hint."""
    queued = await in_database(scene.create, "text-2")
    thread = await in_database(operations.create_thread, scene.project, {})
    lost = await in_database(scene.create, "text-2", thread=thread)
    await in_database(
        Run.objects.filter(id=lost.id).update,
        status="in_progress", epoch=1, lease_until=timezone.now() - PAST,
    )  # fmt: skip
    async with scene.serving():
        for run in (queued, lost):
            await Reader(run).end()
            assert (await later(run)).status == "completed"


def look(**options):
    return asyncio.run(in_writer(watchdog.look, **options))


def test_a_fresh_queued_run_is_left_to_its_hint(transactional_db):
    fresh = make_run()
    old = make_run(created_at=timezone.now() - watchdog.FORGOTTEN - PAST)
    held = make_run(status=RunStatus.IN_PROGRESS)
    assert look().forgotten == [old.id]
    assert look(first=True).forgotten == [fresh.id, old.id]
    lapse(held)
    found = look()
    assert (found.silent, found.forgotten) == ([held.id], [old.id])


def test_runs_that_may_have_killed_their_drivers_are_found_apart(transactional_db):
    """Those that were interrupted most often before the others. One that is to be cancelled, or to
    be given up, is not driven again."""
    counts = [1, 4, 2, 1, 3, CLAIMS]
    lost = [make_run(status=RunStatus.IN_PROGRESS, claims=count) for count in counts]
    lost.append(make_run(status=RunStatus.CANCELLING, claims=3))
    for run in lost:
        lapse(run)
    claims = dict(Run.objects.values_list("id", "claims"))
    found = look()
    assert [claims[run_id] for run_id in found.suspects] == [4, 3, 2]
    assert [claims[run_id] for run_id in found.silent] == [CLAIMS, 3, 1, 1]


async def test_the_watchdog_looks_whatever_fails_before(transactional_db):
    looks = []

    async def fail():
        raise ZeroDivisionError

    async def note(found):
        looks.append(found)

    watch = Watch(note, lambda run_id: None, 0.01, before=fail)
    await until(lambda: len(looks) > 1)
    await watch.stop()
