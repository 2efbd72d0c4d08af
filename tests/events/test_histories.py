"""Random histories of one run, told to real readers through a live layer that cannot be trusted.

Drivers die, are taken over, wake up and go on talking; deltas are shown before they are committed;
live events are lost, doubled, late; readers come late, leave and come back with their cursor.
Afterwards each reader must have every committed event once and in order, and nothing else but
deltas of attempts whose message was never completed.
"""

import asyncio
import json
import random
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from runs.contract.status import RunStatus
from runs.events import hub as hub_module
from runs.events import log
from runs.events.follow import follow
from runs.events.hub import hub
from runs.lifecycle import runs as lifecycle
from runs.models import Run
from runs.models.database import in_database, in_writer
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

HISTORIES = 20
TURNS = 3
LONG_AGO = timedelta(hours=1)


class History:
    """One run, its drivers one after the other, and all who read it."""

    def __init__(self, seed):
        self.chance = random.Random(seed)  # noqa: S311  dice, not keys
        self.late = []  # live events that come later, in any order
        self.shown = {}  # content by number, over all drivers
        self.readers = []
        self.messages = 0
        self.turn = 0
        self.message = None
        self.waiting = []  # deltas that were shown but not committed

    def publish(self, events):
        """Show events through a live layer that loses, doubles and reorders."""
        for event in events:
            content = (event.name, event.data)
            assert self.shown.setdefault(event.number, content) == content, "a number used twice"
            fate = self.chance.random()
            if fate < 0.12:
                continue
            if fate < 0.25:
                self.late.append(event)
                continue
            hub.publish(self.run.id, [event] * (2 if fate < 0.32 else 1))
        if self.chance.random() < 0.2:
            self.chance.shuffle(self.late)
            hub.publish(self.run.id, self.late)
            self.late = []

    async def state(self, *facts, to=None):
        """Commit what waits and then facts, with a move if there is one; then show them.

        In the writer's thread, as a driver does: SQLite has one writer at a time.
        """

        @transaction.atomic
        def commit():
            left, self.waiting = self.waiting, []
            if to is not None:
                lifecycle.move(self.run, to)
            return log.write(self.run, [(name, {"message": m}) for name, m in facts], left)

        self.publish(await in_writer(commit))

    async def step(self):
        """Let the driver do one thing."""
        if self.message is None:
            self.messages += 1
            self.message = self.messages
            await self.state(("thread.message.created", self.message))
        elif self.chance.random() < 0.85:
            event = log.record(
                self.run,
                "thread.message.delta",
                {"message": self.message, "by": self.run.epoch, "n": self.run.next_number},
            )
            self.waiting.append(event)
            self.publish([event])
            if self.chance.random() < 0.25:
                await self.state()  # a flush
        else:
            await self.end_turn()

    async def end_turn(self):
        completed = ("thread.message.completed", self.message)
        self.message, self.turn = None, self.turn + 1
        if self.turn == TURNS:
            await self.state(completed, ("thread.run.completed", 0), to=RunStatus.COMPLETED)
        elif self.chance.random() < 0.5:
            await self.state(
                completed, ("thread.run.requires_action", 0), to=RunStatus.REQUIRES_ACTION
            )
            await self.state(("thread.run.queued", 0), to=RunStatus.QUEUED)
            await in_writer(lifecycle.claim, self.run, "driver", 60)
            await self.state(("thread.run.in_progress", 0))
        else:
            await self.state(completed)

    async def take_over(self):
        """The driver dies or falls silent; another closes what it left, and goes on."""
        lost, self.waiting = self.run, []
        self.run = await in_writer(self.claimed)
        if self.message is not None:
            await self.state(("thread.message.incomplete", self.message))
        if self.chance.random() < 0.5 and self.message is not None:  # it wakes up, and talks on
            number, prev = lost.next_number, lost.last_number
            data = json.dumps({"message": self.message, "by": lost.epoch, "n": number})
            self.publish([log.Event(number, prev, "thread.message.delta", data)])
        self.message = None

    @transaction.atomic
    def claimed(self):
        Run.objects.filter(id=self.run.id).update(lease_until=timezone.now() - LONG_AGO)
        return lifecycle.claim(Run.objects.get(id=self.run.id), "another", 60)

    async def read(self, delay):
        """A reader that now and then loses its connection and comes back with its cursor."""
        await asyncio.sleep(delay)
        got, ended = [], False
        self.readers.append(got)
        while not ended:
            ended = True
            after = got[-1].number if got else 0
            async for events in follow(self.run.id, after, through_pauses=True, beat=0.02):
                got += events
                if self.chance.random() < 0.05:
                    ended = False
                    break

    async def play(self):
        self.run = await in_writer(make_run, status=RunStatus.IN_PROGRESS)
        delays = [0, 0, *(self.chance.random() * 0.2 for _ in range(3)), 1]
        reading = [asyncio.create_task(self.read(delay)) for delay in delays]
        while self.run.status != RunStatus.COMPLETED:
            if self.chance.random() < 0.05:
                await self.take_over()
            await self.step()
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await asyncio.gather(*reading)
        page = await in_database(log.read_after, self.run.id, 0, 10_000)
        self.check(page.events)

    def check(self, committed):
        numbers = [event.number for event in committed]
        assert numbers == sorted(set(numbers)), "the log does not ascend strictly"
        completed = {
            json.loads(event.data)["message"]
            for event in committed
            if event.name == "thread.message.completed"
        }
        assert len(completed) == TURNS
        for got in self.readers:
            seen = [event.number for event in got]
            assert seen == sorted(set(seen)), "a reader saw events doubled or out of order"
            assert set(numbers) <= set(seen), "a reader lacks what is in the log"
            for event in got:
                if event.number not in numbers:
                    message = json.loads(event.data)["message"]
                    assert event.name == "thread.message.delta"
                    assert message not in completed, "not in the log, but part of an answer"


@pytest.mark.slow
async def test_random_histories(monkeypatch):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 0.05)
    await asyncio.gather(*(History(seed).play() for seed in range(HISTORIES)))
