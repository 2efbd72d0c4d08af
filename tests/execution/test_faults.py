"""What an upstream does to a run: each ends it with a status, a code and words to act on."""

import time

import pytest

from runs.execution import drive, watchdog
from runs.models import Message
from runs.models.database import in_database
from runs.providers.openai_compatible import OpenAICompatible
from tests.api.executing import executing
from tests.execution.scene import (
    START,
    Reader,
    check_sane,
    delta_text,
    later,
    message_text,
    story,
)
from tests.upstream_script import (
    DONE,
    DROP,
    END,
    HANG,
    call,
    chunk,
    finish,
    page,
    raw,
    status,
    text,
)

pytestmark = pytest.mark.slow


def error(message, **more):
    return {"error": {"message": message, **more}}


SERVER, RATE, PROMPT = "server_error", "rate_limit_exceeded", "invalid_prompt"
FOREVER = drive.RETRIES + 1  # requests, where each fails before anything was shown

HALF = raw('data: {"choices": [{"index": 0, "delta": {"con')
LATE_DROP = {**DROP, "delay": 0.1}  # what was sent before has arrived

#: plan, code, words of the message, requests
FAILURES = {
    "a name that was never offered": (
        [call("{}", call_id="c1", name="rm_rf")],
        SERVER,
        "The model called the function 'rm_rf', which this run does not offer. "
        "Offered: get_time, get_weather.",
        1,
    ),
    "a call without a name": (
        [call("{}", call_id="c1")],
        SERVER,
        "The model called a function without a name.",
        1,
    ),
    "a key that is refused (401)": (
        [status(401, error("Bad key"))],
        SERVER,
        "The upstream refused the key (401). Check RUNSITE_UPSTREAM_KEY. It said: Bad key",
        1,
    ),
    "a request that is refused (400)": (
        [status(400, error("Too rude", code="content_policy"))],
        PROMPT,
        "The upstream refused the request (400). It said: Too rude (content_policy)",
        1,
    ),
    "an unknown model (404)": (
        [status(404, error("No such model"))],
        SERVER,
        "Check the model's name, and that RUNSITE_UPSTREAM_URL ends in /v1.",
        1,
    ),
    "429 for ever": (
        [status(429, error("Slow down"), retry_after_ms="5")],
        RATE,
        "The upstream is limiting requests (429). It said: Slow down",
        FOREVER,
    ),
    "429, no quota left": (
        [status(429, error("Pay", code="insufficient_quota"))],
        RATE,
        "is limiting requests (429). It said: Pay",
        1,
    ),
    "500 for ever": ([status(500)], SERVER, "The upstream failed (500).", FOREVER),
    "disconnect before the answer": (
        [DROP],
        SERVER,
        "The upstream closed the connection before it answered.",
        FOREVER,
    ),
    "disconnect in mid-stream": (
        [text("a"), DROP],
        SERVER,
        "The upstream broke off its answer in the middle.",
        1,
    ),
    "disconnect in mid-chunk": (
        [text("a"), HALF, LATE_DROP],
        SERVER,
        "The upstream broke off its answer in the middle.",
        1,
    ),
    "disconnect within the first chunk": (
        [HALF, LATE_DROP],
        SERVER,
        "The upstream broke off its answer in the middle.",
        FOREVER,
    ),
    "end of stream with no finish reason": (
        [text("a"), END],
        SERVER,
        "The upstream broke off its answer in the middle.",
        1,
    ),
    "end of stream with nothing at all": (
        [DONE, END],
        SERVER,
        "The upstream broke off its answer in the middle.",
        FOREVER,
    ),
    "a chunk that is not JSON": (
        [raw("data: {oops}\n\n")],
        SERVER,
        "The upstream sent something that is not a chunk of chat completions. It said: {oops}",
        FOREVER,
    ),
    "an error object in the stream": (
        [text("a"), chunk(error("Overloaded", code=503))],
        SERVER,
        "The upstream failed (503). It said: Overloaded",
        1,
    ),
    "an HTML page with status 200": (
        [page()],
        SERVER,
        "answered with text/html, not with chat completions. "
        "Check that RUNSITE_UPSTREAM_URL ends in /v1.",
        1,
    ),
    "an unknown finish reason": (
        [text("a"), finish("bored")],
        SERVER,
        "The model ended its answer for an unknown reason: 'bored'.",
        1,
    ),
    "too many calls": (
        [call("{}", index=i, call_id=f"c{i}", name="get_time") for i in range(129)],
        SERVER,
        "128 tool calls",
        1,
    ),
}


@pytest.mark.parametrize(("plan", "code", "words", "requests"), FAILURES.values(), ids=FAILURES)
def test_the_run_fails(scene, plan, code, words, requests):
    scene.upstream.play(*[list(plan)] * requests)
    run = scene.drive(scene.create())
    assert run.status == "failed"
    assert run.last_error["code"] == code
    assert words in run.last_error["message"]
    assert len(scene.upstream.requests) == requests
    assert story(run).startswith(START)
    assert story(run).endswith("run.failed")
    check_sane(run)


SILENCES = {
    "no answer at all": ([HANG], "The upstream did not answer within 0.05 s.", FOREVER),
    "silence in mid-stream": (
        [text("a"), HANG],
        "The upstream fell silent for 0.05 s in the middle of its answer.",
        1,
    ),
}


@pytest.mark.parametrize(("plan", "words", "requests"), SILENCES.values(), ids=SILENCES)
def test_the_run_fails_by_silence(scene, plan, words, requests):
    scene.upstream.play(*[list(plan)] * requests)
    run = scene.drive(scene.create(), read_seconds=0.05)
    assert (run.status, run.last_error["code"]) == ("failed", SERVER)
    assert run.last_error["message"] == words
    assert len(scene.upstream.requests) == requests


@pytest.mark.parametrize(("plan", "words", "requests"), SILENCES.values(), ids=SILENCES)
async def test_a_silence_of_several_leases_is_no_reason_to_take_the_run_over(
    scene, settings, plan, words, requests
):
    """8.24: the watchdog looks on, the lease is renewed, and only the upstream's silence ends the
    run. A machine may be too slow for such a lease, but not each time."""
    settings.RUNSITE_LEASE_SECONDS = 0.3
    provider = OpenAICompatible(scene.upstream.url, "key", read_seconds=1.0)
    for _ in range(5):
        scene.upstream.queue.clear()
        scene.upstream.requests.clear()
        scene.upstream.play(*[list(plan)] * requests)
        run = await in_database(scene.create)
        async with executing(provider):
            await Reader(run).end()
        found = await later(run)
        if found.epoch == 1:
            break
    assert found.epoch == 1
    assert (found.status, found.last_error["code"]) == ("failed", SERVER)
    assert found.last_error["message"] == words.replace("0.05 s", "1 s")
    assert len(scene.upstream.requests) == requests
    for request in scene.upstream.requests:
        assert request.closed_at - request.received_at > 0.6  # two leases
    assert await in_database(delta_text, run) == ("a" if requests == 1 else "")
    assert watchdog.SECONDS < settings.RUNSITE_LEASE_SECONDS < provider.read_seconds / 3


def test_nobody_listens(scene):
    scene.upstream.port, port = 9, scene.upstream.port
    run = scene.drive(scene.create())
    scene.upstream.port = port
    assert run.status == "failed"
    assert "could not be reached. Check that it runs" in run.last_error["message"]


PASSING = {
    "429 once": status(429, error("Slow down"), retry_after_ms="5"),
    "500 once": status(500),
    "a drop before the answer": DROP,
    "a broken chunk": raw("data: {oops}\n\n"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_not_seen_by_readers(scene, fault):
    scene.upstream.play([fault], [text("Hi")])
    run = scene.drive(scene.create())
    assert run.status == "completed"
    assert "step.failed" not in story(run)
    assert len(scene.upstream.requests) == 2
    check_sane(run)


HARMLESS = {
    "no usage": [text("Hi"), finish(), DONE, END],
    "no [DONE]": [text("Hi"), finish(), END],
    "[DONE] without a reason": [text("Hi"), DONE, END],
    "fields nobody knows": [
        chunk({"choices": [{"index": 0, "delta": {"content": "Hi", "mood": 1}, "x": 2}], "y": 3})
    ],
    "noise after the end": [text("Hi"), finish(), raw("data: {oops}\n\n"), END],
    "a cut after the end": [text("Hi"), finish(), DROP],
}


@pytest.mark.parametrize("plan", HARMLESS.values(), ids=HARMLESS)
def test_what_does_no_harm(scene, plan):
    run = scene.play(*plan)
    assert run.status == "completed"
    assert message_text(Message.objects.get(run=run)) == "Hi"


def test_an_upstream_is_never_asked_again_once_something_was_shown(scene):
    run = scene.drive(scene.create("drop-1"))
    assert run.status == "failed"
    assert len(scene.upstream.requests) == 1


def test_a_call_counts_as_shown(scene):
    run = scene.play(call("", call_id="c1", name="get_time"), DROP)
    assert run.status == "failed"
    assert len(scene.upstream.requests) == 1


def test_the_wait_an_upstream_asks_for_is_kept(scene):
    scene.upstream.play([status(429, "", retry_after_ms="150")], [text("Hi")])
    assert scene.drive(scene.create()).status == "completed"
    first, second = scene.upstream.requests
    assert 0.15 <= second.received_at - first.received_at < 1


def test_nobody_waits_for_longer_than_a_minute(scene):
    scene.upstream.play([status(429, error("Later"), retry_after="61")])
    started = time.monotonic()
    run = scene.drive(scene.create())
    assert time.monotonic() - started < 5
    assert (run.status, run.last_error["code"]) == ("failed", RATE)


def test_a_model_that_calls_for_ever_is_stopped(scene, monkeypatch):
    monkeypatch.setattr(drive, "TURNS", 3)
    run = scene.drive(scene.create("tools-1"))
    while run.status == "requires_action":
        run = scene.answer(run)
    assert run.status == "failed"
    assert run.last_error["message"] == "The run took more than 3 turns. Does the model loop?"
    assert len(scene.upstream.requests) == 3
    check_sane(run)


def test_a_strict_upstream_is_content_with_our_tool_history(scene):
    """It answers 400 to a call without its output, or an output without its call."""
    assert scene.upstream.strict
    run = scene.drive(scene.create("text-1+tools-2-then-tools-1-then-text-1"))
    run = scene.answer(scene.answer(run))
    assert run.status == "completed"
    assert scene.drive(scene.create("text-2")).status == "completed"


def test_a_defect_of_ours_ends_the_run_and_says_nothing_of_itself(scene, caplog):
    """A plan of tools that cannot be: the column holds what no validation lets in."""
    run = scene.create()
    type(run).objects.filter(id=run.id).update(
        tools=[{"type": "function", "function": {"name": "f"}}], truncation_strategy=["nonsense"]
    )
    run = scene.drive(run)
    assert run.status == "failed"
    assert run.last_error == {"code": SERVER, "message": "Sorry, something went wrong."}
    assert "run failed by a defect" in caplog.text
