"""A storm: clients go on with their work while processes are killed all around them."""

import asyncio
import json
import os
import random
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import httpx

from tests.chaos.cluster import Cluster
from tests.live import LiveServer
from tests.process.client import Api, Reader, Wire, path_of

#: Three turns, each with text, two of them with a call.
MODEL = "text-10x30+tools-1-then-text-10x30+tools-1-then-text-20x30"
TURNS = 3
RETRY_SECONDS = 0.1
#: All times of a storm are multiplied by it: for machines so slow that a process which is killed
#: every three seconds is busy with its start all its life.
PACE = int(os.environ.get("RUNSITE_TEST_PACE", 1))
WORKER_SECONDS = 3.0 * PACE  # between two deaths of a worker
WEB_SECONDS = 7.0 * PACE
BUSY = (409, 502, 503)  # answers after which the same call is to be made again


@dataclass
class Storm:
    """Kills processes of a cluster, and starts each again at once."""

    cluster: Cluster
    chance: random.Random
    killed: list[tuple[LiveServer, float]] = field(default_factory=list)
    dawns: list[float] = field(default_factory=list)  # somebody is up where nobody was
    starting: dict[LiveServer, asyncio.Task[None]] = field(default_factory=dict)

    async def rage(self, seconds: float) -> None:
        """Kill a worker every 3 s and a web process every 7 s; all live in the end."""
        kinds = [(WORKER_SECONDS, self.cluster.workers), (WEB_SECONDS, self.cluster.webs)]
        blows = [
            (number * every, processes)
            for every, processes in kinds
            for number in range(1, int(seconds / every) + 1)
        ]
        begun = time.monotonic()
        for at, processes in sorted(blows, key=lambda blow: blow[0]):
            await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
            self.strike(processes)
        await asyncio.gather(*self.starting.values())

    def strike(self, processes: list[LiveServer]) -> None:
        """Kill one at random of those that are up; the last one too."""
        up = [process for process in processes if process not in self.starting]
        if up:
            process = self.chance.choice(up)
            process.kill9()
            self.killed.append((process, time.monotonic()))
            self.starting[process] = asyncio.create_task(self.start(process))

    async def start(self, process: LiveServer) -> None:
        """Start a killed process again, as a supervisor does."""
        await asyncio.to_thread(process.start)
        del self.starting[process]
        kind = next(kind for kind in (self.cluster.workers, self.cluster.webs) if process in kind)
        if all(other in self.starting for other in kind if other is not process):
            self.dawns.append(time.monotonic())

    def deaths(self, run: Wire) -> list[float]:
        """When the drivers of the run died."""
        ahead = time.time() - time.monotonic()
        claims = [
            (worker, datetime.fromisoformat(json.loads(line)["time"]).timestamp() - ahead)
            for worker in self.cluster.workers
            for line in worker.log.splitlines()
            if '"run claimed"' in line and run["id"] in line
        ]
        ends = [
            [at for killed, at in self.killed if killed is worker and at > claimed]
            for worker, claimed in claims
        ]
        return [min(at) for at in ends if at]


class Client:
    """Makes one run and sees it through, whatever is lost on the way."""

    def __init__(self, cluster: Cluster, number: int):
        self.cluster = cluster
        self.tag = f"storm {number}"
        self.web = number  # turns to the next one whenever a call is lost
        self.reader = Reader(self.api)
        self.calls = 0
        self.answered: list[float] = []  # when its outputs were accepted

    @property
    def api(self) -> Api:
        """The web process that it talks to now."""
        return self.cluster.api(self.web % len(self.cluster.webs))

    async def work(self, body: Wire) -> None:
        """Create the run, read it to its end, answer its calls."""
        key = {"Idempotency-Key": self.tag}
        self.reader.run = await self.post("/threads/runs", body, key)
        while True:
            if not await self.attached():
                continue
            if self.reader.names[-1] != "thread.run.requires_action":
                return
            run = self.reader.run
            calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            outputs = [{"tool_call_id": call["id"], "output": "done"} for call in calls]
            await self.post(path_of(run) + "/submit_tool_outputs", {"tool_outputs": outputs})
            self.answered.append(time.monotonic())

    async def attached(self) -> bool:
        """Read until the run rests, or the connection or the server is lost."""
        self.reader.api = self.api
        try:
            if await self.reader.attach():
                return True
        except AssertionError as refused:  # no 200
            if '"server_error"' not in str(refused):
                raise
        self.web += 1
        await asyncio.sleep(RETRY_SECONDS)
        return False

    async def post(self, path: str, body: Wire, headers: dict[str, str] | None = None) -> Wire:
        """The answer to a call that is made until there is one."""
        while True:
            try:
                reply = await self.api.http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                pass
            else:
                if reply.status_code not in BUSY:
                    assert reply.status_code == 200, reply.text
                    return dict(reply.json())
            self.web += 1
            await asyncio.sleep(RETRY_SECONDS)

    def pauses(self, storm: Storm) -> list[float]:
        """How long it waited for each event: since the one before, since the outputs that the run
        had waited for, since the storm last struck
        this run, or since one process was up where none was."""
        blows = [*storm.dawns, *storm.deaths(self.reader.run)]
        found = []
        for before, after in pairwise(self.reader.seen):
            since = [at for at in (*self.answered, *blows) if before.at < at < after.at]
            found.append(after.at - max([before.at, *since]))
        return found
