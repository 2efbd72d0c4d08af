"""A TCP proxy between two of the processes, which cuts, holds or slows what passes on command."""

import asyncio
import threading
from typing import Any, Self
from urllib.parse import urlsplit

CHUNK = 64 * 1024


class Proxy:
    """Listens on ``port`` of loopback and passes bytes on to the address in ``url``.

    Use as a context manager. Commands may be given from any thread, at any time::

        proxy.cut()       # abort all connections, and each new one
        proxy.hold()      # pass nothing more; connections stay open
        proxy.delay = 0.2 # seconds that each piece waits, both ways
        proxy.mend()      # pass all again, what was held too
    """

    def __init__(self, url: str):
        self.target = urlsplit(url)
        self.delay = 0.0
        self.accepted = 0  # connections so far
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()  # what passes waits for it
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """The address of the target, by way of the proxy."""
        login, at, _ = self.target.netloc.rpartition("@")
        return self.target._replace(netloc=f"{login}{at}127.0.0.1:{self.port}").geturl()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._writers) // 2

    def cut(self) -> None:
        """Abort all connections, and refuse new ones until ``mend``."""
        self._refusing = True
        self.drop()

    def drop(self) -> int:
        """Abort all connections; new ones are served. Returns how many were open."""
        cut: list[int] = []
        self._do(lambda: cut.append(self._abort()))
        return cut[0]

    def hold(self) -> None:
        """Pass nothing more until ``mend``, as a network that swallows packets."""
        self._do(self._open.clear)

    def mend(self) -> None:
        """Be a plain proxy again."""
        self.delay = 0.0
        self._refusing = False
        self._do(self._open.set)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, command: Any) -> None:
        """Run a command on the proxy's loop, and wait for it."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (command(), done.set()))
        assert done.wait(5)

    def _abort(self) -> int:
        open_ends = [end for end in self._writers if not end.transport.is_closing()]
        for end in open_ends:
            end.transport.abort()
        return len(open_ends) // 2

    async def _start(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        self._server.close()
        self._abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either end closes it."""
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = {writer}
        self._writers.add(writer)
        try:
            if self._refusing:
                return
            there = await asyncio.open_connection(self.target.hostname, self.target.port)
            ends.add(there[1])
            self._writers.add(there[1])
            ways = [(reader, there[1]), (there[0], writer)]
            passing = [asyncio.ensure_future(self._pass(*way)) for way in ways]
            try:
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in passing:
                    way.cancel()
                await asyncio.gather(*passing, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in ends:
                end.close()  # what was passed still goes out, unless it was aborted
            self._writers -= ends
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is read, until there is no more."""
        while data := await reader.read(CHUNK):
            await self._open.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
