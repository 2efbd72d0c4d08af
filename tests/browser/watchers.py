"""Plain sockets that watch a run as its page does, and note what came when."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live import LiveServer
from tests.process.client import until

#: What a frame appends to the text of a message.
APPENDED = re.compile(r'<hx-partial hx-target="#\w+-text" hx-swap="beforeend">(.*?)</hx-partial>')
TOKEN = re.compile(r"\bw(\d+) ")  # of tests.upstream_script

#: On a page: notes each text that is appended to the message being written, and when.
WATCH_TEXT = """() => {
    window.appended = [];
    new MutationObserver((changes) => {
        for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes]))
            window.appended.push([Date.now() / 1000, node.textContent]);
    }).observe(document.querySelector(".writing"), { childList: true });
}"""


def tokens(text: str) -> list[int]:
    """The numbers of the tokens in a text, in their order."""
    return [int(number) for number in TOKEN.findall(text)]


@dataclass
class Watcher:
    """One socket; times are ``time.monotonic()``."""

    came: list[tuple[float, str]] = field(default_factory=list)
    code: int | None = None  # with which the server closed it

    @property
    def frames(self) -> list[dict[str, Any]]:
        """All frames, in the order in which they came."""
        return [json.loads(text) for _, text in self.came]

    @property
    def tokens(self) -> list[tuple[int, float]]:
        """Each token that was appended to the text, and when it came."""
        texts = [
            (at, "".join(APPENDED.findall(frame["content"])))
            for (at, _), frame in zip(self.came, self.frames, strict=True)
        ]
        return [(number, at) for at, text in texts for number in tokens(text)]

    @property
    def unbroken(self) -> bool:
        """Whether every frame begins where the one before it ended, and the first at nothing."""
        frames = self.frames
        ends = [0, *(frame["number"] for frame in frames)]
        return [frame["after"] for frame in frames] == ends[:-1]

    async def watch(self, server: LiveServer, run_id: str, session: str) -> None:
        """Take what comes until the server closes the socket."""
        url = f"ws://127.0.0.1:{server.port}/console/ws/runs/{run_id}/?after=0"
        cookie = {"Cookie": f"runsite_session={session}"}
        async with connect(
            url, origin=server.url, additional_headers=cookie, proxy=None, open_timeout=60
        ) as socket:
            with suppress(ConnectionClosed):
                while True:
                    frame = str(await socket.recv())
                    self.came.append((time.monotonic(), frame))
            self.code = socket.close_code


@asynccontextmanager
async def watching(
    server: LiveServer, run_id: str, sessions: Sequence[str]
) -> AsyncIterator[list[Watcher]]:
    """One watcher for each of ``sessions``: all are there inside the block, which ends when the
    last has been sent away."""
    watchers = [Watcher() for _ in sessions]
    async with asyncio.TaskGroup() as group:
        for watcher, session in zip(watchers, sessions, strict=True):
            group.create_task(watcher.watch(server, run_id, session))
        await until(lambda: all(watcher.came for watcher in watchers), 60, "watchers")
        yield watchers
