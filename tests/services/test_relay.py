"""Live events and hints between processes: here two relays, each with readers of its own."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest

from runs.events import hub as hubs
from runs.events import relay as relays
from runs.events.hub import Hub
from runs.events.log import Event
from runs.events.relay import Relay, group_of

pytestmark = pytest.mark.services


@pytest.fixture(autouse=True)
def quiet_log(monkeypatch):
    """The hubs of these tests never look at the log by themselves: no run has one."""
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 3600)


@asynccontextmanager
async def running(hub):
    relay = Relay(hub)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()
        for task in hub._lookers.values():
            task.cancel()


@asynccontextmanager
async def two_processes():
    here, there = Hub(), Hub()
    async with running(here), running(there):
        yield here, there


def events(*numbers, size=1):
    return [Event(number, number - 1, "thread.x", "x" * size) for number in numbers]


async def joined(reader):
    """The reader's process is in the run's group: its reader is sent to the log once for that."""
    assert await reader.wait(10) == ([], True)


async def test_a_reader_elsewhere_gets_what_is_published_here():
    run_id = f"run_{uuid.uuid4().hex}"
    async with two_processes() as (here, there):
        with there.subscribe(run_id) as reader, here.subscribe(run_id) as own:
            await joined(reader)
            await joined(own)
            here.publish(run_id, events(1, 2))
            here.publish("run_other", events(7))
            assert await reader.wait(10) == (events(1, 2), False)
            assert await own.wait(10) == (events(1, 2), False)
            await asyncio.sleep(0.1)
            assert await own.wait(0) == ([], False)  # not once more from outside


async def test_a_reader_that_left_and_comes_again_is_found_again():
    run_id = f"run_{uuid.uuid4().hex}"
    async with two_processes() as (here, there):
        for number in (1, 2, 3):
            with there.subscribe(run_id) as reader:
                await joined(reader)
                here.publish(run_id, events(number))
                assert await reader.wait(10) == (events(number), False)
            await asyncio.sleep(0.05)


async def test_what_is_too_much_for_a_message_is_read_from_the_log():
    run_id = f"run_{uuid.uuid4().hex}"
    async with two_processes() as (here, there):
        with there.subscribe(run_id) as reader:
            await joined(reader)
            here.publish(run_id, events(1, 2, size=hubs.BOUND_CHARACTERS))
            assert await reader.wait(10) == ([], True)


async def test_a_driver_elsewhere_is_told_to_look():
    asked = asyncio.Queue()
    async with running(Hub()) as here, running(Hub()) as there:
        there.on_stop = asked.put_nowait
        async with asyncio.timeout(10):
            while asked.empty():  # until it has joined
                here.stop_run("run_a")
                await asyncio.sleep(0.02)
        assert asked.get_nowait() == "run_a"


async def test_a_message_of_another_version_is_passed_over(caplog):
    run_id = f"run_{uuid.uuid4().hex}"
    async with two_processes() as (here, there):
        with there.subscribe(run_id) as reader:
            await joined(reader)
            odd = [{"run": run_id, "from": "x", "events": [["too", "few"]]}, {"from": "x"}]
            for message in odd:
                await here.outside._send_one(group_of(run_id), message)
            layer = there.outside.layer._get_layer()
            group = layer._get_group_channel_name(group_of(run_id))
            await layer._get_shard(group).publish(group, b"not packed as we do")
            here.publish(run_id, events(1))
            assert await reader.wait(10) == (events(1), False)
    assert caplog.text.count("was not understood") == len(odd) + 1


async def test_nothing_is_kept_where_no_other_process_is_reached():
    alone = Relay(Hub())
    for number in range(100):
        alone.stop_run(f"run_{number}")
    assert not alone.stops


async def test_tries_to_join_leave_nothing_behind(monkeypatch):
    monkeypatch.setattr(relays, "RETRY_SECONDS", 0.01)
    away = type(relays.get_channel_layer())(hosts=["redis://127.0.0.1:9/0"])
    monkeypatch.setattr(relays, "get_channel_layer", lambda: away)
    tries, new_channel = [], away.new_channel

    async def counted():
        tries.append(1)
        return await new_channel()

    monkeypatch.setattr(away, "new_channel", counted)
    async with running(Hub()):
        async with asyncio.timeout(10):
            while len(tries) < 5:
                await asyncio.sleep(0.01)
        assert len(away._get_layer().channels) <= 1


async def test_nothing_waits_for_a_redis_that_is_not_there(settings, monkeypatch, caplog):
    """What is published is dropped; once Redis is there, what comes then arrives."""
    monkeypatch.setattr(relays, "RETRY_SECONDS", 0.02)
    run_id = f"run_{uuid.uuid4().hex}"
    async with two_processes() as (here, there):
        layer = here.outside.layer
        away = type(layer)(hosts=["redis://127.0.0.1:9/0"])
        here.outside.layer = there.outside.layer = away
        with there.subscribe(run_id) as reader:
            for number in range(100):
                here.publish(run_id, events(number))
                await asyncio.sleep(0.001)
            async with asyncio.timeout(10):
                while "Redis cannot be reached" not in caplog.text:
                    await asyncio.sleep(0.01)
            assert len(here.outside.outbox.get(run_id) or ()) <= hubs.BOUND
            there.outside.layer = layer
            there.outside.readers_changed()
            async with asyncio.timeout(10):
                while (await reader.wait(10))[1] is False:
                    pass
            here.outside.layer = layer
            async with asyncio.timeout(10):
                while events(1000) != (await reader.wait(0.05))[0]:
                    here.publish(run_id, events(1000))


def test_groups_have_names_that_the_layer_takes():
    assert group_of("run_abc123") == "run.run_abc123"
