"""The views that wait or stream: plain async functions.

Each does all its database work in one unit, and holds no connection while it waits.
"""

import time
from collections.abc import Callable

from django.http.response import HttpResponseBase

from runs import operations
from runs.api.errors import json_response
from runs.api.idempotency import headers_of, once
from runs.api.lookups import run_of, thread_of
from runs.api.pagination import checked
from runs.api.requests import ApiRequest, async_view
from runs.api.slots import kept_by_a_stream
from runs.api.streaming import event_stream
from runs.api.warnings import warning_headers
from runs.contract import limits
from runs.contract.errors import BadRequest
from runs.contract.events import RUN_ENDS, RUN_REQUIRES_ACTION
from runs.contract.status import AT_REST
from runs.events.hub import Subscription, hub
from runs.inputs.bodies import validate
from runs.inputs.fields import Choice
from runs.inputs.serializers import CreateRun, CreateThreadAndRun, SubmitToolOutputs
from runs.models import Run
from runs.models.database import in_request, in_writing_request
from runs.operations import Answer
from runs.wire.objects import run_object

#: The helpers ``create_and_poll``, ``poll``, … of the SDKs send this with each retrieve.
POLL_HELPER = "X-Stainless-Poll-Helper"
#: Tells them how long to wait before the next one.
POLL_AFTER = "openai-poll-after-ms"

Admit = Callable[[], None]

FOLLOW = Choice(("0", "1", "true", "false"))
LARGEST_NUMBER = 2**63 - 1  # of an event: the width of the column


async def begin(request: ApiRequest, work: Callable[[Admit], Answer]) -> HttpResponseBase:
    """Create a run or move it on; answer with it or with the stream of what follows, as the
    call asks. A repeated call reads the stream from the same place as the first one.

    ``work`` says when it has understood the call and is about to act: no earlier is a stream
    counted, and no later is it refused.
    """
    with kept_by_a_stream() as slot:

        def admit() -> None:
            if asks_for_stream(request):
                slot.take(request.key)

        def unit() -> Answer:
            answer = once(request, lambda: work(admit))
            admit()  # a repeated call, which has not come to its work
            return answer

        answer = await in_writing_request(unit)
        if answer.run is None or not asks_for_stream(request):
            return json_response(answer.wire, headers=headers_of(answer))
        stream = event_stream(answer.run, request.key, slot, after=answer.after)
    for name, value in headers_of(answer).items():
        stream.headers[name] = value
    return stream


def asks_for_stream(request: ApiRequest) -> bool:
    """Whether a body that was checked says so."""
    return isinstance(request.data, dict) and request.data.get("stream") is True


def run_answer(run: Run, after: int = 0) -> Answer:
    """A run as an answer."""
    return Answer(run_object(run), warning_headers(run), run, after)


@async_view
async def create_run(request: ApiRequest, thread_id: str) -> HttpResponseBase:
    """Start a run on a thread."""

    def work(admit: Admit) -> Answer:
        thread = thread_of(request.project, thread_id)
        fields = validate(CreateRun, request.data)
        admit()
        return run_answer(operations.create_run(thread, fields, request.key))

    return await begin(request, work)


@async_view
async def create_thread_and_run(request: ApiRequest) -> HttpResponseBase:
    """Create a thread and start a run on it."""

    def work(admit: Admit) -> Answer:
        project = request.project
        fields = validate(CreateThreadAndRun, request.data)
        admit()
        return run_answer(operations.create_thread_and_run(project, fields, request.key))

    return await begin(request, work)


@async_view
async def submit_tool_outputs(request: ApiRequest, thread_id: str, run_id: str) -> HttpResponseBase:
    """Answer the tool calls that a run waits for."""

    def work(admit: Admit) -> Answer:
        run = run_of(request.project, thread_id, run_id)
        fields = validate(SubmitToolOutputs, request.data)
        admit()
        taken = operations.submit_tool_outputs(run, fields["tool_outputs"], request.key)
        return run_answer(taken.run, taken.after)

    return await begin(request, work)


@async_view
async def retrieve_run(request: ApiRequest, thread_id: str, run_id: str) -> HttpResponseBase:
    """A run; for the SDKs' polling helpers, once it rests or a moment has passed."""

    def unit() -> Run:
        return run_of(request.project, thread_id, run_id)

    run = await in_request(unit)
    held = request.headers.get(POLL_HELPER) == "true" and run.status not in AT_REST
    if held:
        deadline = time.monotonic() + limits.POLL_HOLD_SECONDS
        with hub.subscribe(run_id) as live:
            run = await in_request(unit)  # again: nothing falls between from here on
            while run.status not in AT_REST and (left := deadline - time.monotonic()) > 0:
                await hint(live, left)
                run = await in_request(unit)
    wait = limits.POLL_AFTER_HELD_MS if held else limits.POLL_AFTER_MS
    return json_response(run_object(run), headers={POLL_AFTER: str(wait), **warning_headers(run)})


async def hint(live: Subscription, seconds: float) -> None:
    """Wait until the run may have come to rest, at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        events, look = await live.wait(left)
        if look or any(e.name in RUN_ENDS or e.name == RUN_REQUIRES_ACTION for e in events):
            return


@async_view
async def attach(request: ApiRequest, thread_id: str, run_id: str) -> HttpResponseBase:
    """The events of a run, running or ended, from its beginning or past a cursor."""

    def unit() -> tuple[Run, int, bool]:
        run, after = run_of(request.project, thread_id, run_id), cursor(request)
        follow = checked("follow", FOLLOW, request.query_params.get("follow") or "0")
        slot.take(request.key)
        return run, after, follow in ("1", "true")

    with kept_by_a_stream() as slot:
        run, after, follow = await in_request(unit)
        return event_stream(run, request.key, slot, after=after, through_pauses=follow)


def cursor(request: ApiRequest) -> int:
    """The number of the last event that the reader has; 0 for none.

    A reader that comes back sends ``Last-Event-ID`` by itself, with the URL of its first
    call: the header counts. A number beyond the log's end is no error: an event that was
    delivered may still be on its way into the log.

    Raises:
        BadRequest: one of them is no number.
    """
    by_query = event_number(request.query_params.get("after"))
    by_header = event_number(request.headers.get("Last-Event-ID"))
    return (by_query or 0) if by_header is None else by_header


def event_number(given: str | None) -> int | None:
    """The number of an event; None if it is not given, or empty.

    Raises:
        BadRequest: it is no number.
    """
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 1000):
        raise BadRequest(
            f"Invalid 'after': '{given[:100]}'. Expected the number of an event.",
            code="invalid_value",
            param="after",
        )
    return min(int(given), LARGEST_NUMBER)
