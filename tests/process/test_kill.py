"""``kill -9`` of the serving process, and what its successor makes of it."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.process.client import (
    TOOL,
    Api,
    Reader,
    Seen,
    assert_gone,
    family_of,
    text_of,
    turns_asked,
    until,
)
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = pytest.mark.process

LEASE_SECONDS = 2  # of the servers of these tests
PLAIN = "text-120x40"  # 4.8 s
BETWEEN_TOOLS = "tools-1-then-text-120x40+tools-1-then-text-3"
DELTAS_SEEN = 20

StartServer = Callable[..., Api]


async def test_twenty_readers_lose_nothing(mortal: StartServer, upstream: Upstream) -> None:
    """Ten plain runs, and ten between two rounds of tool calls, all killed in mid-text."""
    api = mortal()
    readers = [Reader(api) for _ in range(20)]
    plain = readers[:10]
    tags = {id(reader): f"run {number}" for number, reader in enumerate(readers)}

    async def first_part(reader: Reader) -> bool:
        if reader in plain:
            return await reader.create(await api.prepare(PLAIN, tags[id(reader)]))
        reader.run = await api.run(BETWEEN_TOOLS, tags[id(reader)])
        waiting = asyncio.create_task(api.wait(reader.run, "requires_action"))
        waiting.add_done_callback(lambda done: asyncio.ensure_future(api.answer(done.result())))
        return await reader.attach("?follow=1")

    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(first_part(reader)) for reader in readers]
        await until(lambda: all(len(reader.deltas) >= DELTAS_SEEN for reader in readers))
        family = family_of(api.server.pid)
        api.server.kill9()
        killed_at = time.monotonic()
    assert not any(task.result() for task in reading)
    assert_gone(family)
    seen_before = {id(reader): len(reader.seen) for reader in readers}
    for reader in readers:
        assert_live(reader, upstream, tags[id(reader)])

    api.server.start()
    ready_at = time.monotonic()

    async def second_part(reader: Reader) -> bool:
        if reader in plain:
            return await reader.attach()
        attached = asyncio.create_task(reader.attach("?follow=1"))
        await api.answer(await api.wait(reader.run, "requires_action"))
        return await attached

    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(second_part(reader)) for reader in readers]
    assert all(task.result() for task in reading)

    for reader in readers:
        back = reader.seen[seen_before[id(reader)] :]
        assert back[0].at - ready_at < LEASE_SECONDS + 3, back[0]
        assert killed_at < back[0].at
        await assert_ended_well(api, reader, PLAIN if reader in plain else BETWEEN_TOOLS)
        asked = turns_asked(upstream, tags[id(reader)])
        counts = {turn: len(requests) for turn, requests in asked.items()}
        assert counts == ({0: 2} if reader in plain else {0: 1, 1: 2, 2: 1})


def assert_live(reader: Reader, upstream: Upstream, tag: str) -> None:
    """The deltas came as the upstream sent them, not in one burst."""
    (asked,) = turns_asked(upstream, tag)[1 if "tools" in str(reader.run["model"]) else 0]
    pairs = list(zip(reader.deltas, asked.sent_at, strict=False))
    late = sorted(delta.at - sent for delta, sent in pairs)
    assert late[len(late) // 2] < 0.5
    sent_in = pairs[-1][1] - pairs[0][1]
    assert pairs[-1][0].at - pairs[0][0].at > 0.7 * sent_in


async def assert_ended_well(api: Api, reader: Reader, model: str) -> None:
    """Exact texts, one completed step per part of a turn, and a reader who has it all."""
    run = await api.retrieve(reader.run)
    assert run["status"] == "completed", run
    texts = [expected_text(PLAIN)]
    kinds = {"message_creation": 1}
    if model == BETWEEN_TOOLS:
        texts, kinds = (
            [expected_text(model, 1), expected_text(model, 2)],
            {
                "tool_calls": 2,
                "message_creation": 2,
            },
        )
    messages = await api.messages(run)
    whole = [message for message in messages if message["status"] == "completed"]
    (torn,) = [message for message in messages if message["status"] != "completed"]
    assert [text_of(message) for message in whole] == texts
    assert torn["status"] == "incomplete"
    assert torn["incomplete_details"] == {"reason": "run_failed"}
    assert texts[0].startswith(text_of(torn))

    steps = await api.steps(run)
    completed = Counter(step["type"] for step in steps if step["status"] == "completed")
    assert completed == kinds
    (failed,) = [step for step in steps if step["status"] != "completed"]
    assert failed["status"] == "failed"
    assert failed["last_error"]["code"] == "server_error"
    assert_lossless(reader, await api.log(run), torn["id"])
    for message in whole:
        said = [event.delta for event in reader.deltas if event.data["id"] == message["id"]]
        assert "".join(said) == text_of(message)


def assert_lossless(reader: Reader, log: list[Seen], torn_id: str = "") -> None:
    """The reader has all of the log, nothing twice, and no number with other content.

    What is not in the log can only be deltas of the message ``torn_id``.
    """
    numbers = [event.number for event in reader.seen]
    assert numbers == sorted(set(numbers))
    seen = {event.number: (event.name, event.data) for event in reader.seen}
    stored = {event.number: (event.name, event.data) for event in log}
    assert stored.keys() <= seen.keys()
    assert {number: seen[number] for number in stored} == stored
    for number in seen.keys() - stored.keys():
        name, data = seen[number]
        assert (name, data["id"]) == ("thread.message.delta", torn_id)


async def test_killed_while_waiting_for_outputs(mortal: StartServer, upstream: Upstream) -> None:
    api = mortal()
    run = await api.run("tools-2-then-text-5", "waits", tools=[TOOL, TOOL])
    before = await api.wait(run, "requires_action")
    api.server.kill9()
    api.server.start()
    assert await api.retrieve(run) == before
    reader = Reader(api, run)
    assert await reader.attach()
    assert reader.names[-1] == "thread.run.requires_action"
    await api.answer(before)
    assert await reader.attach()
    assert (await api.wait(run, "completed"))["usage"]
    assert reader.names[-1] == "thread.run.completed"
    assert_lossless(reader, await api.log(run))
    assert [len(asked) for asked in turns_asked(upstream, "waits").values()] == [1, 1]


async def test_killed_between_upstream_and_commit(mortal: StartServer, upstream: Upstream) -> None:
    """The database is held from outside, so that the finished turn cannot be committed."""
    api = mortal()
    run = await api.run("text-40x20", "uncommitted")
    reader = Reader(api, run)
    reading = asyncio.create_task(reader.attach())
    await until(lambda: len(reader.deltas) >= 5)
    with hold_database(api):
        (asked,) = turns_asked(upstream, "uncommitted")[0]
        await until(lambda: asked.ended_at)
        await asyncio.sleep(0.2)  # the driver has read it to its end
        api.server.kill9()
    assert not await reading
    assert not [name for name in reader.names if name.endswith("completed")]
    api.server.start()
    assert await reader.attach()
    run = await api.wait(run, "completed")
    torn, message = await api.messages(run)
    assert (torn["status"], message["status"]) == ("incomplete", "completed")
    assert text_of(message) == expected_text("text-40x20")
    steps = await api.steps(run)
    assert [step["status"] for step in steps] == ["failed", "completed"]
    assert_lossless(reader, await api.log(run), torn["id"])
    assert len(turns_asked(upstream, "uncommitted")[0]) == 2


@contextmanager
def hold_database(api: Api) -> Iterator[None]:
    """Hold the write lock of the server's SQLite file while inside the block."""
    path = api.server.data_dir / "runsite.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_killed_right_after_a_submit(mortal: StartServer, upstream: Upstream) -> None:
    api = mortal()
    model = "tools-1-then-text-40x20"
    runs = [await api.run(model, f"submit {number}") for number in range(3)]
    runs = [await api.wait(run, "requires_action") for run in runs]
    for run in runs:
        await api.answer(run)
    api.server.kill9()
    api.server.start()
    for number, run in enumerate(runs):
        done = await api.wait(run, "completed")
        *_, message = await api.messages(done)
        assert text_of(message) == expected_text(model)
        asked = turns_asked(upstream, f"submit {number}")
        assert len(asked[0]) == 1
        assert len(asked[1]) <= 2
        outputs = [m["content"] for m in asked[1][-1].messages if m["role"] == "tool"]
        assert outputs == ["done"]
        steps = await api.steps(done)
        assert len([step for step in steps if step["status"] == "completed"]) == 2


async def test_killed_right_after_a_create(mortal: StartServer) -> None:
    api = mortal()
    runs = [await api.run("text-5", f"create {number}") for number in range(5)]
    api.server.kill9()
    api.server.start()
    for run in runs:
        await api.wait(run, "completed")
        whole = [m for m in await api.messages(run) if m["status"] == "completed"]
        assert [text_of(message) for message in whole] == [expected_text("text-5")]


async def test_killed_again_and_again(mortal: StartServer, upstream: Upstream) -> None:
    """Three times in the same turn: each attempt is closed, the last one counts."""
    api = mortal(RUNSITE_LEASE_SECONDS="1")
    run = await api.run("text-60x20", "again")
    reader = Reader(api, run)
    for _ in range(3):
        heard = len(reader.deltas)
        reading = asyncio.create_task(reader.attach())
        await until(lambda heard=heard: len(reader.deltas) >= heard + 10)
        api.server.kill9()
        assert not await reading
        api.server.start()
    assert await reader.attach()
    run = await api.wait(run, "completed")
    *torn, message = await api.messages(run)
    assert [found["status"] for found in torn] == ["incomplete"] * 3
    assert text_of(message) == expected_text("text-60x20")
    said = [event.delta for event in reader.deltas if event.data["id"] == message["id"]]
    assert "".join(said) == text_of(message)
    numbers = [event.number for event in reader.seen]
    assert numbers == sorted(set(numbers))
    assert len(turns_asked(upstream, "again")[0]) == 4


async def test_killed_while_cancelling_and_past_its_time(mortal: StartServer) -> None:
    """What was to end meanwhile ends as it should have, and no run stays open."""
    api = mortal(RUNSITE_RUN_LIFETIME="4")
    expires = await api.run("silent-3", "expires")
    cancelled = await api.run("silent-3", "is cancelled")
    cancelled = await api.wait(cancelled, "in_progress")
    answer = await api.post(f"/threads/{cancelled['thread_id']}/runs/{cancelled['id']}/cancel")
    assert answer["status"] == "cancelling"
    api.server.kill9()
    await asyncio.sleep(max(expires["expires_at"] - time.time(), 0) + 0.1)
    api.server.start()
    ended = await api.wait(expires, "expired", "failed", "completed", seconds=LEASE_SECONDS + 3)
    assert ended["status"] == "expired"
    ended = await api.wait(cancelled, "cancelled", "expired", seconds=LEASE_SECONDS + 3)
    assert ended["status"] == "cancelled"
    reader = Reader(api, cancelled)
    assert await reader.attach()
    assert reader.names[-1] == "thread.run.cancelled"
