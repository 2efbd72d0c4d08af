"""Runs as server-sent events. A reader that leaves changes nothing for the run."""

import asyncio
import json
import logging
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.db import Error
from django.http import StreamingHttpResponse

from runs.api.slots import Slot
from runs.api.warnings import warning_headers
from runs.contract import limits
from runs.contract.errors import Internal
from runs.contract.events import DONE, ERROR
from runs.events.follow import follow
from runs.events.log import Event
from runs.models import ApiKey, Run
from runs.models.database import in_database

logger = logging.getLogger(__name__)

#: A comment: readers skip it, proxies and clients see that the connection lives. No blank line
#: follows: once it has seen an ``id``, openai-python takes any for the end of an event, and an
#: event without data breaks its stream.
KEEP_ALIVE = ": ping\n"
#: For so long a stream stands still while its key is looked up. A database that takes longer is
#: heard later: what is live needs none.
KEY_SECONDS = 1.0
END = f"event: {DONE}\ndata: [DONE]\n\n"

HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would gather frames
}


def event_stream(
    run: Run, key: ApiKey, slot: Slot, *, after: int = 0, through_pauses: bool = False
) -> StreamingHttpResponse:
    """The events of a run past ``after``, until it rests, as an answer. Gives ``slot`` back."""
    return StreamingHttpResponse(
        Pieces(frames(run.id, key, slot, after=after, through_pauses=through_pauses), slot),
        content_type="text/event-stream; charset=utf-8",
        headers=HEADERS | warning_headers(run),
    )


class Pieces:
    """What is written to the reader, and how the answer gives its slot back if the reader left
    before the first byte: nothing of ``frames`` is run then."""

    def __init__(self, written: AsyncGenerator[str, None], slot: Slot):
        self.written = written
        self.close = slot.give_back  # Django calls it at the end of the request
        weakref.finalize(written, slot.give_back).atexit = False  # unless sending broke

    def __aiter__(self) -> AsyncGenerator[str, None]:
        return self.written


async def frames(
    run_id: str, key: ApiKey, slot: Slot, *, after: int, through_pauses: bool
) -> AsyncGenerator[str, None]:
    """What is written to the reader: all that is pending at once in one piece.

    Ends without a last frame if the key is revoked meanwhile.
    """
    beat = limits.KEEP_ALIVE_SECONDS
    asked_at = time.monotonic()
    asking: asyncio.Task[bool] | None = None
    events = follow(run_id, after, through_pauses=through_pauses, beat=beat)
    try:
        async with aclosing(events):
            async for pending in events:
                if asking is None and time.monotonic() - asked_at >= beat:
                    asked_at = time.monotonic()
                    asking = asyncio.create_task(may_go_on(key))
                    await asyncio.wait([asking], timeout=KEY_SECONDS)
                if asking and asking.done():
                    if not asking.result():
                        return
                    asking = None
                yield "".join(map(Event.frame, pending)) or KEEP_ALIVE
        yield END
    except Exception:
        logger.exception("A stream broke", extra={"run_id": run_id})
        yield error_frame()
    finally:
        if asking:
            asking.cancel()
        slot.give_back()


async def may_go_on(key: ApiKey) -> bool:
    """Whether a key still opens the API, as far as the database can tell."""
    try:
        return await in_database(is_live, key)
    except Error:
        return True  # it is asked again after the next beat


def is_live(key: ApiKey) -> bool:
    """Whether a key still opens the API."""
    return ApiKey.objects.filter(number=key.number, revoked_at=None).exists()


def error_frame() -> str:
    """Says that the server, not the run, broke.

    The published schema has the bare error object here; openai-python raises only if it
    is under ``error``. It is given both ways.
    """
    body = Internal().body()
    return f"event: {ERROR}\ndata: {json.dumps(body | body['error'])}\n\n"
