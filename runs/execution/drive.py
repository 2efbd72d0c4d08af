"""Drive a run: claim it, do its turn, commit it. Knows no engine.

The model's connection is read by a task of its own, the pump; everything that writes is
done by the driver, which can be stopped between two pieces but never inside a commit.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

from django.db import Error

from runs.contract.events import MESSAGE_DELTA, STEP_DELTA
from runs.contract.limits import TURNS
from runs.contract.status import RunStatus
from runs.events import log
from runs.events.flush import Buffer
from runs.events.hub import hub
from runs.events.log import StaleRun
from runs.execution import commits, prompt
from runs.execution.commits import Written
from runs.execution.turn import Turn
from runs.execution.worker import Worker
from runs.models import Message, Run, RunStep
from runs.models.database import in_study, in_writer
from runs.providers.base import (
    CallPiece,
    Piece,
    Provider,
    RefusalPiece,
    TextPiece,
    TurnEnd,
    TurnRequest,
    UpstreamError,
)
from runs.wire.deltas import call_arguments, call_opening

logger = logging.getLogger(__name__)

RETRIES = 3  # requests after the first, before anything of the turn was shown
RETRY_SECONDS = 0.5  # doubled each time; an upstream's own wish is obeyed instead
RETRY_MOST_SECONDS = 60.0
PIECES_AHEAD = 1000  # pieces the pump may be ahead of the driver

DEFECT = {"code": "server_error", "message": "Sorry, something went wrong."}


class Lost(Exception):
    """The run is not ours any more: write nothing, drop the upstream."""


class Cancelled(Exception):
    """Somebody asked for the run to be cancelled."""


async def drive(run_id: str, worker: Worker, begun: Callable[[], None] = lambda: None) -> None:
    """Do what there is to do for a run now; returns when it rests, or is not ours.

    Safe to call any number of times, for any run: the claim decides.

    Args:
        begun: called when all is done that comes before the model is asked.
    """
    owner = worker.new_owner()
    leased_at = time.monotonic()
    written = await in_writer(
        commits.begin, run_id, owner, worker.lease_seconds, worker.upstreams.answers
    )
    if written is None:
        return
    hub.publish(run_id, written.events)
    run = written.run
    logger.info("run claimed", extra={"run_id": run_id, "status": run.status, "epoch": run.epoch})
    if run.status != RunStatus.IN_PROGRESS:
        return
    driver = Driver(run, worker, Buffer(run, worker.lease_seconds, leased_at), begun)
    with worker.holding(owner, driver):
        await driver.work()


class Driver:
    """The holder of one run's lease, for one turn."""

    def __init__(self, run: Run, worker: Worker, buffer: Buffer, begun: Callable[[], None]):
        self.begun = begun
        self.run = run
        self.worker = worker
        self.buffer = buffer
        self.provider: Provider = worker.upstreams.provider(run.model)
        tools = [tool["function"]["name"] for tool in run.tools if tool["type"] == "function"]
        self.turn = Turn(frozenset(tools), set())
        self.pieces: deque[Piece] = deque()
        self.room = asyncio.Event()
        self.wake = asyncio.Event()
        self.look = False

    def stop(self) -> None:
        """Look at the run's row at once: it was cancelled, or taken over. On the loop."""
        self.look = True
        self.wake.set()
        self.buffer.changed.set()

    async def work(self) -> None:
        """Do the turn, and end the run in whatever way the turn ends."""
        try:
            await self.do_turn()
        except Cancelled:
            await self.end(RunStatus.CANCELLED)
        except UpstreamError as error:
            logger.warning(
                "turn failed", extra={"run_id": self.run.id, "code": error.code, "why": str(error)}
            )
            await self.end(RunStatus.FAILED, {"code": error.code, "message": error.message})
        except (Lost, StaleRun):
            await self.yield_run()
        except Error:
            # Whether the last commit arrived is not known; the next claim will see.
            logger.exception("run let go", extra={"run_id": self.run.id})
        except Exception:
            logger.exception("run failed by a defect", extra={"run_id": self.run.id})
            await self.end(RunStatus.FAILED, DEFECT)

    async def do_turn(self) -> None:
        """Ask the model, deliver what it says, commit."""
        if self.run.turn >= TURNS:
            raise UpstreamError(f"The run took more than {TURNS} turns. Does the model loop?")
        try:
            asked = await in_study(prompt.build, self.run, self.provider.context_tokens)
        except prompt.OverBudget as limit:
            self.adopt(await in_writer(commits.end_incomplete, self.run, limit.reason))
            return
        self.turn = Turn(self.turn.offered, asked.used_ids, asked.asked_at)
        self.begun()
        started = time.monotonic()
        end = await self.ask(asked.request)
        outcome = self.turn.outcome(end, asked.request)
        await self.check()
        left = await self.buffer.take()
        try:
            written = await in_writer(commits.commit_turn, self.run, self.turn, outcome, left)
        except StaleRun:
            self.buffer.waiting = left  # for the ending, if that is still ours to write
            raise
        self.adopt(written)
        logger.info(
            "turn committed",
            extra={
                "run_id": self.run.id,
                "status": self.run.status,
                "seconds": round(time.monotonic() - started, 3),
                "tokens": outcome.usage["total_tokens"],
            },
        )

    async def ask(self, request: TurnRequest) -> TurnEnd:
        """Have the model answer, again if the upstream fails before anything was shown."""
        for attempt in range(RETRIES + 1):
            try:
                return await self.stream(request)
            except UpstreamError as error:
                if self.turn.shown or not error.retryable or attempt == RETRIES:
                    raise
                delay = error.retry_after
                if delay is None:
                    delay = RETRY_SECONDS * 2**attempt
                if delay > RETRY_MOST_SECONDS:
                    raise
                logger.warning(
                    "upstream asked again",
                    extra={"run_id": self.run.id, "seconds": delay, "why": str(error)},
                )
                self.turn = Turn(self.turn.offered, self.turn.used_ids, self.turn.asked_at)
                await self.pause(delay)
        raise AssertionError("unreachable: the last attempt raises")

    async def pause(self, seconds: float) -> None:
        """Wait, unless the run is cancelled meanwhile."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self.wake.wait()
            self.wake.clear()
            await self.check()

    async def stream(self, request: TurnRequest) -> TurnEnd:
        """Deliver one answer piece by piece; returns how it ended."""
        self.pieces.clear()
        pump = asyncio.create_task(self.pump(request))
        pump.add_done_callback(lambda _: self.wake.set())
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                await self.check()
                while self.pieces:
                    piece = self.pieces.popleft()
                    if isinstance(piece, TurnEnd):
                        return piece
                    await self.deliver_piece(piece)
                self.room.set()
                if pump.done():
                    pump.result()
                    if not self.pieces:
                        raise UpstreamError("The upstream ended without an answer.")
                    self.wake.set()
        finally:
            pump.cancel()
            await asyncio.wait([pump])
            if not pump.cancelled():
                pump.exception()  # has been raised above, if it mattered

    async def pump(self, request: TurnRequest) -> None:
        """Read the upstream. Cancelling this task closes the connection."""
        async with aclosing(self.provider.turn(request)) as pieces:
            async for piece in pieces:
                self.pieces.append(piece)
                self.wake.set()
                while len(self.pieces) >= PIECES_AHEAD:
                    self.room.clear()
                    await self.room.wait()

    async def check(self) -> None:
        """Look at the row if somebody said so.

        Raises:
            Cancelled, Lost: what has become of the run.
        """
        if not self.look and not self.buffer.refused:
            return
        self.look = False  # before the look: whoever asks for one meanwhile gets another
        status = await in_writer(commits.standing, self.run.id, self.run.epoch)
        if status == RunStatus.CANCELLING:
            raise Cancelled
        if status != RunStatus.IN_PROGRESS:
            raise Lost
        if self.buffer.refused:  # by a defect, and it would be again
            self.buffer.drop()
            raise RuntimeError("Deltas could not be stored; the reason is above.")

    async def deliver_piece(self, piece: Piece) -> None:
        """Turn a piece into events."""
        if isinstance(piece, CallPiece):
            self.turn.add_call(piece)
            await self.deliver_calls()
        elif isinstance(piece, TextPiece | RefusalPiece):
            await self.deliver_text(piece)

    async def deliver_text(self, piece: TextPiece | RefusalPiece) -> None:
        """Open the message with the first text that is more than white space."""
        turn = self.turn
        if turn.tool_step is not None:
            # One step at a time: a message cannot open beside the calls that wait.
            logger.warning("text after a tool call dropped", extra={"run_id": self.run.id})
            return
        if turn.message is None and isinstance(piece, TextPiece):
            turn.blank += piece.text
            if not turn.blank.strip():
                return
            piece = TextPiece(turn.blank)
        message = await self.message()
        await self.may_deliver()
        self.deliver(MESSAGE_DELTA, turn.add_text(message.id, piece))

    async def deliver_calls(self) -> None:
        """Deliver what readers lack of the calls, unless a text came first.

        One call after the other: openai-python takes a new index for the end of the call
        before. Where an upstream mixes them, the later ones wait for the turn's commit.
        """
        turn = self.turn
        if turn.message is not None:
            return
        step_id = (await self.tool_step()).id
        await self.deliver_call(step_id, turn.telling)
        while turn.telling + 1 < len(turn.calls) and turn.calls[turn.telling].whole():
            turn.telling += 1
            await self.deliver_call(step_id, turn.telling)

    async def deliver_call(self, step_id: str, index: int) -> None:
        """Deliver what a call has that readers have not."""
        call = self.turn.calls[index]
        if not call.opened:
            await self.may_deliver()
            self.deliver(STEP_DELTA, call_opening(step_id, index, call.id, call.name))
            call.opened = True
        if piece := "".join(call.undelivered):
            await self.may_deliver()
            self.deliver(STEP_DELTA, call_arguments(step_id, index, piece))
            call.undelivered.clear()

    async def message(self) -> Message:
        """The turn's message, opened with its step on first use."""
        if self.turn.message is not None:
            return self.turn.message
        written, step, message = await in_writer(commits.open_message, self.run, self.turn.asked_at)
        self.turn.message_step, self.turn.message = step, message
        self.adopt(written)
        return message

    async def tool_step(self) -> RunStep:
        """The turn's tool step, opened on first use."""
        if self.turn.tool_step is not None:
            return self.turn.tool_step
        written, step = await in_writer(commits.open_tools, self.run, self.turn.asked_at)
        self.turn.tool_step = step
        self.adopt(written)
        return step

    async def may_deliver(self) -> None:
        """Return once a delta may be shown."""
        await self.check()
        while self.buffer.full():
            self.buffer.changed.clear()
            await self.buffer.changed.wait()
            await self.check()

    def deliver(self, name: str, wire: dict[str, Any]) -> None:
        """Number a delta, hand it to the readers, and leave its commit to the flusher."""
        event = log.record(self.run, name, wire)
        self.buffer.add(event)
        hub.publish(self.run.id, (event,))
        self.worker.flusher.notice(self.buffer)

    async def end(self, ending: RunStatus, last_error: dict[str, str] | None = None) -> None:
        """End the run in mid-turn. Of two endings at once, the one that was asked for wins."""
        left = await self.buffer.take()
        try:
            self.adopt(
                await in_writer(commits.end_driven, self.run, self.turn, left, ending, last_error)
            )
        except StaleRun:
            status = await in_writer(commits.standing, self.run.id, self.run.epoch)
            if status != RunStatus.CANCELLING or ending == RunStatus.CANCELLED:
                logger.info("run lost", extra={"run_id": self.run.id})
                return
            self.adopt(
                await in_writer(commits.end_driven, self.run, self.turn, left, RunStatus.CANCELLED)
            )

    async def yield_run(self) -> None:
        """A write was refused: the run was cancelled under us, or is another's."""
        status = await in_writer(commits.standing, self.run.id, self.run.epoch)
        if status == RunStatus.CANCELLING:
            await self.end(RunStatus.CANCELLED)
        else:
            logger.info("run lost", extra={"run_id": self.run.id, "epoch": self.run.epoch})

    def adopt(self, written: Written) -> None:
        """Go on from what was committed, and deliver it."""
        self.run = written.run
        hub.publish(self.run.id, written.events)
