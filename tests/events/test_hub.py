"""The hub: live events to the readers of this process, from any thread."""

import asyncio
import threading

import pytest
from django.db import transaction

from runs.events import hub as hub_module
from runs.events.hub import BOUND, BOUND_CHARACTERS, Hub, hub
from runs.events.log import Event
from runs.models.database import in_database
from tests.factories import make_events, make_run

pytestmark = pytest.mark.django_db(transaction=True)


def events(count, start=1):
    return [Event(i, i - 1, "thread.x", "{}") for i in range(start, start + count)]


async def test_events_reach_all_who_read_the_run_and_nobody_else():
    own = Hub()
    with own.subscribe("run_a") as one, own.subscribe("run_a") as two, own.subscribe("run_b") as x:
        own.publish("run_a", events(2))
        assert await one.wait(1) == (events(2), False)
        assert await two.wait(1) == (events(2), False)
        assert await x.wait(0.01) == ([], False)


async def test_who_has_left_gets_nothing_and_is_not_counted():
    own = Hub()
    with own.subscribe("run_a") as reader:
        assert own.readers() == 1
    own.publish("run_a", events(1))
    assert own.readers() == 0
    assert await reader.wait(0.01) == ([], False)


async def test_what_came_before_the_wait_is_not_missed():
    own = Hub()
    with own.subscribe("run_a") as reader:
        own.publish("run_a", events(1))
        own.publish("run_a", events(1, 2))
        assert await reader.wait(1) == (events(2), False)


async def test_overflow_sends_the_reader_to_the_log():
    own = Hub()
    with own.subscribe("run_a") as reader:
        own.publish("run_a", events(BOUND))
        own.publish("run_a", events(1, BOUND + 1))
        assert await reader.wait(1) == ([], True)
        own.publish("run_a", events(1, BOUND + 2))
        assert await reader.wait(1) == (events(1, BOUND + 2), False)


async def test_much_text_sends_the_reader_to_the_log_too():
    """What waits for one slow reader stays in memory. A single event always gets through."""
    own = Hub()
    large = [Event(i, i - 1, "thread.x", "x" * BOUND_CHARACTERS) for i in (1, 2, 3)]
    with own.subscribe("run_a") as reader:
        own.publish("run_a", large[:1])
        assert await reader.wait(1) == (large[:1], False)
        own.publish("run_a", large[1:2])
        own.publish("run_a", large[2:])
        assert await reader.wait(1) == ([], True)
        own.publish("run_a", events(2, 4))
        assert await reader.wait(1) == (events(2, 4), False)


async def test_publishing_from_many_threads_loses_nothing():
    own = Hub()
    threads, each = 8, 100
    with own.subscribe("run_a") as reader:

        def publish(part):
            for number in range(each):
                own.publish("run_a", events(1, part * each + number))

        publishers = [threading.Thread(target=publish, args=(i,)) for i in range(threads)]
        for publisher in publishers:
            publisher.start()
        got = []
        while len(got) < threads * each:
            pending, look = await reader.wait(5)
            assert pending
            assert not look
            got += pending
        for publisher in publishers:
            publisher.join()
    assert sorted(e.number for e in got) == list(range(threads * each))


async def test_a_reader_is_woken_from_another_thread_at_once():
    own = Hub()
    with own.subscribe("run_a") as reader:
        waiting = asyncio.create_task(reader.wait(5))
        await asyncio.sleep(0)
        await asyncio.to_thread(own.publish, "run_a", events(1))
        assert await asyncio.wait_for(waiting, 0.5) == (events(1), False)


def test_a_reader_whose_loop_has_gone_harms_nobody():
    own = Hub()

    async def leave_without_a_word():
        own.subscribe("run_a").__enter__()

    asyncio.run(leave_without_a_word())
    own.publish("run_a", events(1))


async def test_the_hub_looks_at_the_log_for_whoever_reads(monkeypatch):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 0.01)
    run = await in_database(make_run)
    with hub.subscribe(run.id) as reader:
        assert await reader.wait(0.05) == ([], False)
        await in_database(make_events, run, ("thread.x", {}))  # and not a word to the hub
        assert await reader.wait(5) == ([], True)


async def test_the_hub_tells_the_readers_of_a_run_that_is_gone(monkeypatch):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 0.01)
    with hub.subscribe("run_gone") as reader:
        assert await reader.wait(5) == ([], True)


async def test_the_hub_stops_looking_when_nobody_reads(monkeypatch):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 0.01)
    own = Hub()
    with own.subscribe("run_a"):
        (looking,) = own._lookers.values()
    await asyncio.wait_for(looking, 5)


async def test_events_of_a_transaction_are_told_when_it_is_committed():
    def write(fail):
        with transaction.atomic():
            hub.publish_on_commit("run_a", events(1))
            seen_inside.append(reader._wake.is_set())
            if fail:
                raise ValueError

    seen_inside: list[bool] = []
    with hub.subscribe("run_a") as reader:
        with pytest.raises(ValueError):  # noqa: PT011  our own, just above
            await in_database(write, True)
        assert await reader.wait(0.02) == ([], False)
        await in_database(write, False)
        assert await reader.wait(5) == (events(1), False)
    assert seen_inside == [False, False]
