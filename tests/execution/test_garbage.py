"""Whatever an upstream sends, a turn ends and a run ends. ``make fuzz`` tries for minutes."""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from runs.contract.status import RunStatus
from runs.execution.drive import RETRIES
from runs.providers.base import CallPiece, Piece, TurnEnd, TurnRequest, UpstreamError
from runs.providers.openai_compatible import OpenAICompatible
from runs.providers.pieces import UNSTORABLE
from tests.execution.scene import check_sane
from tests.factories import make_message, make_thread
from tests.garbage import plan_of_seed

pytestmark = pytest.mark.slow

#: Where to begin, and for how long to go on. Without a time a few seeds are tried.
FIRST = int(os.environ.get("RUNSITE_TEST_SEED", "0"))
SECONDS = float(os.environ.get("RUNSITE_TEST_FUZZ_SECONDS", "0"))
#: A hang is what takes longer: no stream here is longer than a few milliseconds.
HANGS = 30
READ_SECONDS = 20.0


def seeds(few: int) -> Iterator[int]:
    """The seeds to try; ``few`` of them where no time is set."""
    if not SECONDS:
        yield from range(FIRST, FIRST + few)
        return
    deadline = time.monotonic() + SECONDS
    for seed in itertools.count(FIRST):
        if time.monotonic() > deadline:
            print(f"seeds {FIRST} to {seed - 1}")  # noqa: T201
            return
        yield seed


def texts(piece: object) -> Iterator[str]:
    """What of a piece is going to be stored."""
    for name in ("text", "arguments", "name", "call_id", "reason"):
        yield getattr(piece, name, None) or ""


async def one_turn(provider: OpenAICompatible) -> str:
    """How a turn ends: its reason, or the code of what went wrong."""
    pieces: list[Piece] = []
    fault = None
    try:
        async with aclosing(provider.turn(TurnRequest("garbage", []))) as turn:
            pieces += [piece async for piece in turn]
    except UpstreamError as error:
        fault = error
    assert not any(UNSTORABLE.search(text) for piece in pieces for text in texts(piece))
    calls = [piece.index for piece in pieces if isinstance(piece, CallPiece)]
    assert list(dict.fromkeys(calls)) == list(range(len(set(calls))))
    if fault:
        assert fault.message
        assert not UNSTORABLE.search(fault.message)
        return fault.code
    *before, end = pieces
    assert isinstance(end, TurnEnd)
    assert not any(isinstance(piece, TurnEnd) for piece in before)
    return end.reason


def test_every_turn_ends(upstream):
    async def all_seeds() -> set[str]:
        ends = set()
        provider = OpenAICompatible(upstream.url, read_seconds=READ_SECONDS)
        for seed in seeds(few=300):
            try:
                upstream.play(plan_of_seed(seed))
                ends.add(await asyncio.wait_for(one_turn(provider), HANGS))
            except BaseException as error:
                error.add_note(f"seed {seed}")
                raise
        await provider.aclose()
        return ends

    assert {"stop", "length", "tool_calls", "server_error"} <= asyncio.run(all_seeds())


def test_every_run_ends(scene):
    ends = set()
    for seed in seeds(few=60):
        thread = make_thread(scene.project)
        make_message(thread, "Hello")
        scene.upstream.play(*[plan_of_seed(seed)] * (RETRIES + 1))
        try:
            run = scene.drive(scene.create(thread=thread, tools=[]), read_seconds=READ_SECONDS)
            check_sane(run)
            assert run.status in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.INCOMPLETE)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        ends.add(run.status)
        scene.upstream.queue.clear()
    assert {RunStatus.COMPLETED, RunStatus.FAILED} <= ends
