"""``manage.py serve``, told by ``LIVE_FAULT`` what not to deliver as it should.

=========  =====================================================================================
``lost``   every third live message does not come, nor does that of a run's end
``late``   live messages come twice and in any order
``gaps``   of the frames of a run's socket each twentieth does not come, and older ones come again
=========  =====================================================================================

Live messages are those of the hub: a channel layer promises no more. The log is as ever.
"""

import json
import os
import random
from collections import defaultdict
from collections.abc import Sequence

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.management import execute_from_command_line

django.setup()

from runs.console.consumers import RunConsumer  # noqa: E402
from runs.contract.events import RUN_ENDS  # noqa: E402
from runs.events.hub import Hub, hub  # noqa: E402
from runs.events.log import Event  # noqa: E402

AT_ONCE = 6  # messages that are out of order among themselves
CHANCE = random.Random(20261129)  # noqa: S311 - dice, not keys


class LosingHub(Hub):
    """Some messages never come."""

    count = 0

    def publish(self, run_id: str, events: Sequence[Event]) -> None:
        """Hand over what is not lost."""
        for event in events:
            self.count += 1
            if self.count % 3 and event.name not in RUN_ENDS:
                super().publish(run_id, [event])


HELD: defaultdict[str, list[Event]] = defaultdict(list)


class LateHub(Hub):
    """All messages come twice and in any order."""

    def publish(self, run_id: str, events: Sequence[Event]) -> None:
        """Hand over some at once."""
        held = HELD[run_id]
        held += events
        if len(held) >= AT_ONCE or any(event.name in RUN_ENDS for event in events):
            twice = [*held, *held]
            CHANCE.shuffle(twice)
            held.clear()
            for event in twice:
                super().publish(run_id, [event])


SENT: defaultdict[RunConsumer, list[str]] = defaultdict(list)


async def send_with_gaps(self: RunConsumer, frame: str) -> None:
    """Send a frame and an older one, or nothing. The end of a run is sent: what comes before a
    close does not get lost."""
    SENT[self].append(frame)
    if len(SENT[self]) % 20 or "run-head" in json.loads(frame)["content"]:
        for text in (frame, CHANCE.choice(SENT[self])):
            await AsyncWebsocketConsumer.send(self, text)


if __name__ == "__main__":
    fault = os.environ["LIVE_FAULT"]
    if fault == "gaps":
        RunConsumer.send = send_with_gaps  # type: ignore[method-assign]
    else:
        hub.__class__ = {"lost": LosingHub, "late": LateHub}[fault]
    execute_from_command_line(["manage.py", "serve"])
