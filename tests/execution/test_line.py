"""Runs in line are driven when their turn comes, however the run ahead of them ends."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import operations
from runs.contract.limits import CLAIMS
from runs.contract.status import RunStatus
from runs.execution import watchdog
from runs.execution.drive import drive
from runs.models import Message, Run
from runs.models.database import in_database, in_writer
from tests.execution.scene import (
    OPEN,
    START,
    Reader,
    again,
    check_sane,
    data_of,
    later,
    message_text,
    story,
    until,
)
from tests.upstream_script import HANG, gate, text

pytestmark = pytest.mark.slow

PAST = timedelta(seconds=1)
TEXT = f"{START} {OPEN} message.delta*{{}} message.completed step.completed run.completed"


def queue(scene, model="text-2", says=None, **fields):
    """A run that stands in line if it must."""
    messages = [{"role": "user", "content": says}] if says else []
    return scene.create(model, on_active_run="queue", additional_messages=messages, **fields)


def asked(request):
    """What a request to the model says, in the order of the prompt."""
    return [(m["role"], m["content"]) for m in request.body["messages"][1:]]


def look(**options):
    return asyncio.run(in_writer(watchdog.look, **options))


async def test_they_are_driven_one_after_the_other_in_their_order(scene, monkeypatch):
    monkeypatch.setattr(watchdog, "SECONDS", 60.0)  # the end of each is the hint for the next
    scene.upstream.play([text("w0 "), gate("first"), text("w1 ")])
    async with scene.serving():
        first = await in_database(scene.create)
        runs = [first] + [
            await in_database(queue, scene, f"text-{n}", f"question {n}") for n in (2, 3)
        ]
        readers = [Reader(run) for run in runs]
        await until(lambda: len(readers[1].got) == len(readers[2].got) == 2)
        await until(lambda: readers[0].deltas() == 1)
        assert readers[1].names == readers[2].names == ["run.created", "run.queued"]
        scene.upstream.open("first")
        for reader in readers:
            await reader.end()
        assert len(scene.upstream.requests) == 3

    def check():
        answers = [message_text(Message.objects.get(run=run)) for run in runs]
        assert asked(scene.upstream.requests[0]) == [("user", "Hello")]
        assert asked(scene.upstream.requests[1]) == [
            ("user", "Hello"), ("assistant", answers[0]), ("user", "question 2"),
        ]  # fmt: skip
        assert asked(scene.upstream.requests[2]) == [
            ("user", "Hello"), ("assistant", answers[0]),
            ("user", "question 2"), ("assistant", answers[1]), ("user", "question 3"),
        ]  # fmt: skip
        for run, deltas in zip(runs, (2, 2, 3), strict=True):
            assert story(run) == TEXT.format(deltas)
            check_sane(run)
        ended = [again(run) for run in runs]
        assert ended[0].completed_at <= ended[1].started_at
        assert ended[1].completed_at <= ended[2].started_at

    await in_database(check)


async def test_a_wait_for_outputs_holds_the_line(scene):
    async with scene.serving():
        first = await in_database(scene.create, "tools-1-then-text-2")
        second = await in_database(queue, scene, "text-2")
        await Reader(first).end()
        assert (await later(first)).status == "requires_action"
        assert (await later(second)).in_line
        await in_database(scene.submit, first, "ok")
        await Reader(second).end()
    assert (await later(first)).status == (await later(second)).status == "completed"


async def test_a_run_that_cancels_the_one_in_mid_stream_begins_when_that_has_ended(scene):
    scene.upstream.play([text("w0 "), HANG])
    async with scene.serving():
        first = await in_database(scene.create)
        reader = Reader(first)
        waiting = await in_database(queue, scene, "text-2", "never said")
        await until(lambda: reader.deltas())
        run = await in_database(
            scene.create, "text-2", on_active_run="cancel",
            additional_messages=[{"role": "user", "content": "Stop. Rather this."}],
        )  # fmt: skip
        assert run.in_line
        await reader.end()
        await Reader(waiting).end()
        await Reader(run).end()
    assert reader.names[-4:] == [
        "run.cancelling", "message.incomplete", "run.step.cancelled", "run.cancelled",
    ]  # fmt: skip
    found = await later(run)
    assert (found.status, found.in_line) == ("completed", False)
    assert found.started_at >= (await later(first)).cancelled_at
    assert await in_database(story, waiting) == "run.created run.queued run.cancelled"
    prompt = asked(scene.upstream.requests[-1])
    assert prompt[-1] == ("user", "Stop. Rather this.")
    assert "never said" not in str(prompt)


async def test_deleting_the_thread_tells_the_readers_of_the_line(scene):
    scene.upstream.play([text("w0 "), HANG])
    async with scene.serving() as engine:
        first = await in_database(scene.create)
        waiting = [await in_database(queue, scene) for _ in range(2)]
        readers = [Reader(run) for run in (first, *waiting)]
        await until(lambda: readers[0].deltas() and len(readers[2].got) == 2)
        await in_database(operations.delete_thread, scene.thread)
        for reader in readers:
            await reader.end()
        await until(lambda: not engine.executor.worker.drivers)
    assert [reader.names[-1] for reader in readers] == ["run.cancelled"] * 3
    assert readers[1].names == ["run.created", "run.queued", "run.cancelled"]
    assert len(scene.upstream.requests) == 1


ENDS = {
    "completed": {"model": "text-2"},
    "incomplete": {"model": "length-2"},
    "incomplete before a turn": {"model": "text-2", "max_prompt_tokens": 1},
    "failed": {"model": "status-400"},
    "failed by a loop": {"model": "text-2"},
}


@pytest.mark.parametrize("end", ENDS)
def test_every_way_in_which_a_driver_ends_a_run_lets_the_next_in(scene, end):
    first = scene.create(**ENDS[end])
    if end == "failed by a loop":
        Run.objects.filter(id=first.id).update(turn=50)
    second = queue(scene, says="Now I?")
    assert scene.drive(first).status == end.split()[0]
    found = again(second)
    assert (found.status, found.in_line, found.line_messages) == ("queued", False, None)
    assert Message.objects.filter(thread=scene.thread, role="user").count() == 2
    assert scene.drive(second).status == "completed"
    check_sane(first)
    check_sane(second)


@pytest.mark.parametrize("status", ["cancelling", "in_progress"])
def test_a_claim_that_ends_a_run_lets_the_next_in(scene, status):
    """A cancel that its driver did not finish; a run that lost too many drivers."""
    first = scene.create()
    Run.objects.filter(id=first.id).update(
        status=status, epoch=CLAIMS, claims=CLAIMS, lease_owner="dead",
        lease_until=timezone.now() - PAST,
    )  # fmt: skip
    second = queue(scene)
    ended = scene.drive(first)
    assert ended.status == ("cancelled" if status == "cancelling" else "failed")
    assert not again(second).in_line
    assert scene.drive(second).status == "completed"


def test_an_expiry_lets_the_next_in(scene):
    first = scene.drive(scene.create("tools-1"))
    second = queue(scene)
    Run.objects.filter(id=first.id).update(expires_at=timezone.now() - PAST)
    found = look(first=True)
    assert list(found.expired) == [first.id]
    assert found.forgotten == [second.id]
    assert scene.drive(second).status == "completed"


def test_a_run_in_line_is_not_driven_whoever_asks(scene):
    first = scene.create()
    second = queue(scene)
    assert scene.drive(second).status == "queued"
    assert (again(second).epoch, scene.upstream.requests) == (0, [])
    scene.drive(first)
    assert scene.drive(second).status == "completed"


async def test_what_a_process_left_in_line_goes_on_in_the_next(scene):
    """It died in the first run's turn. Nobody but the watchdog knows of the two."""
    first = await in_database(scene.create, "text-2")
    second = await in_database(queue, scene, "text-3", "And I?")
    await in_database(
        Run.objects.filter(id=first.id).update,
        status="in_progress", epoch=1, lease_owner="dead", lease_until=timezone.now() - PAST,
    )  # fmt: skip
    async with scene.serving():
        await Reader(second).end()
    assert (await later(first)).status == (await later(second)).status == "completed"
    assert asked(scene.upstream.requests[1])[-1] == ("user", "And I?")


async def test_a_lost_hint_costs_a_moment(scene):
    """The process dies between the end of the first run and the hint to drive the second."""
    first = await in_database(scene.create, "text-2")
    second = await in_database(queue, scene)
    async with scene.working() as worker:  # drives what it is told, and hears no hints
        await drive(first.id, worker)
    assert (await later(second)).status == "queued"
    async with scene.serving():
        await Reader(second).end()
    assert (await later(second)).status == "completed"


async def test_a_rolled_back_ending_lets_nobody_in(scene):
    """The driver finds its run taken over: all of its commit is undone."""
    scene.upstream.play([HANG])
    first = await in_database(scene.create)
    second = await in_database(queue, scene, "text-2", "Not yet")
    async with scene.working(lease=60) as worker:
        driving = asyncio.create_task(drive(first.id, worker))
        await until(lambda: scene.upstream.requests)
        await in_database(Run.objects.filter(id=first.id).update, epoch=7, lease_owner="other")
        worker.stop_run(first.id)
        await asyncio.wait_for(driving, 10)
    assert (await later(first)).status == RunStatus.IN_PROGRESS
    assert (await later(second)).in_line
    assert not await in_database(
        Message.objects.filter(thread=scene.thread, content__icontains="Not yet").exists
    )


# --- clocks ---


def test_each_wait_has_the_clock_that_the_run_asked_for(scene, settings):
    settings.RUNSITE_ACTION_LIFETIME = 3600
    run = scene.create("tools-1-then-tools-1-then-text-1", expires_in=500, action_expires_in=100)
    for _ in range(2):
        run = scene.drive(run)
        assert run.status == "requires_action"
        assert 60 < (run.expires_at - timezone.now()).total_seconds() <= 100
        assert data_of(run, "thread.run.requires_action")[-1]["expires_at"] == int(
            run.expires_at.timestamp()
        )
        run = scene.submit(run, "ok")
        left = (run.expires_at - timezone.now()).total_seconds()
        assert 300 < left <= 500
    assert scene.drive(run).status == "completed"


def test_a_wait_whose_clock_has_run_out_expires(scene):
    run = scene.drive(scene.create("tools-1", expires_in=2_592_000, action_expires_in=1))
    assert (run.expires_at - timezone.now()).total_seconds() <= 1
    Run.objects.filter(id=run.id).update(expires_at=run.expires_at - 2 * PAST)
    assert list(look().expired) == [run.id]
    assert again(run).status == "expired"
