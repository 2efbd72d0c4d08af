"""The faults of an upstream: each with its code, advice and a message to act on."""

import asyncio
import json
import socket

import pytest

from runs.providers import faults
from runs.providers.base import UpstreamError
from runs.providers.openai_compatible import OpenAICompatible
from tests.providers.conftest import KEY
from tests.providers.turns import ask, ask_in_vain, request
from tests.upstream_script import (
    DONE,
    DROP,
    END,
    HANG,
    broken_history,
    call,
    chunk,
    headers,
    page,
    raw,
    status,
    text,
)


def error(message, **more):
    return {"error": {"message": message, **more}}


SERVER, RATE, PROMPT = "server_error", "rate_limit_exceeded", "invalid_prompt"
QUOTA = error("You exceeded your quota.", type="insufficient_quota", code="insufficient_quota")

FAULTS = {
    "400": ([status(400, error("Bad role"))], PROMPT, False, "(400). It said: Bad role"),
    "413": ([status(413, "too large")], PROMPT, False, "(413). It said: too large"),
    "422": ([status(422, {"detail": [{"msg": "no"}]})], PROMPT, False, 'said: [{"msg": "no"}]'),
    "401": ([status(401, error("Wrong"))], SERVER, False, "Check RUNSITE_UPSTREAM_KEY. It said"),
    "403": ([status(403)], SERVER, False, "refused the key (403). Check RUNSITE_UPSTREAM_KEY."),
    "402": ([status(402, "Pay")], RATE, False, "wants to be paid first (402). It said: Pay"),
    "404": ([status(404)], SERVER, False, "model 'm' or the address (404)"),
    "405": ([status(405)], SERVER, False, "RUNSITE_UPSTREAM_URL ends in /v1"),
    "409": ([status(409)], SERVER, True, "The upstream failed (409)."),
    "418": ([status(418)], SERVER, False, "answered with status 418"),
    "429": ([status(429, error("Slow down"))], RATE, True, "(429). It said: Slow down"),
    "429 quota": ([status(429, QUOTA)], RATE, False, "exceeded your quota"),
    "500": ([status(500)], SERVER, True, "The upstream failed (500)."),
    "503": ([status(503, {"message": "Loading"})], SERVER, True, "said: Loading"),
    "302": ([status(302, location="http://x/")], SERVER, False, "Set RUNSITE_UPSTREAM_URL"),
    "disconnect before the answer": ([DROP], SERVER, True, "closed the connection before"),
    "disconnect in mid-stream": ([text("a"), DROP], SERVER, True, "broke off its answer"),
    "end with no finish reason": ([text("a"), END], SERVER, True, "broke off its answer"),
    "end within an event": ([text("a"), raw('data: {"cho'), END], SERVER, True, "broke off"),
    "end at once": ([END], SERVER, True, "broke off its answer"),
    "[DONE] and nothing else": ([DONE, END], SERVER, True, "broke off its answer"),
    "a chunk that is not JSON": ([raw("data: {oops}\n\n")], SERVER, True, "said: {oops}"),
    "a chunk that is no object": ([raw("data: [1]\n\n")], SERVER, True, "is not a chunk"),
    "a chunk nested too deep": ([raw(f"data: {'[' * 99999}\n\n")], SERVER, True, "is not a chunk"),
    "error object in the stream": (
        [text("a"), chunk(error("Overloaded", code=503))],
        SERVER,
        True,
        "(503). It said: Overloaded",
    ),
    "error object that is a text": ([chunk({"error": "Boom"})], SERVER, True, "said: Boom"),
    "error object without its name": (
        [chunk({"object": "error", "message": "Long", "type": "BadRequestError", "code": 400})],
        PROMPT,
        False,
        "It said: Long",
    ),
    "error body in gzip": ([status(500, "x", content_encoding="gzip")], SERVER, True, "(500)."),
    "error object, rate limit": (
        [chunk(error("Slow", type="rate_limit_error"))],
        RATE,
        True,
        "is limiting requests (429). It said: Slow",
    ),
    "error object, prompt": (
        [chunk(error("Long", code="context_length_exceeded"))],
        PROMPT,
        False,
        "It said: Long (context_length_exceeded)",
    ),
    "error object, key": ([chunk(error("Who?", code="401"))], SERVER, False, "refused the key"),
    "error object with status 200": ([status(200, error("Boom"))], SERVER, True, "said: Boom"),
    "HTML page with status 200": ([page()], SERVER, False, "text/html, not with chat completions"),
    "JSON that is no answer": ([status(200, {"ok": 1})], SERVER, False, 'said: {"ok": 1}'),
    "gzip": ([headers(content_encoding="gzip"), text("a")], SERVER, False, "the encoding gzip"),
    "line too long": ([raw("data: " + "x" * 1100000)], SERVER, False, "1 MiB in one line"),
    "event too long": ([raw(f"data: {'x' * 900000}\n" * 5)], SERVER, False, "4 MiB in one event"),
    "too many calls": (
        [call("", index=i, call_id=f"c{i}", name="f") for i in range(129)],
        SERVER,
        False,
        "128 tool calls",
    ),
    "too much text": ([text("x" * 1000000)] * 17, SERVER, False, "16 MiB of text"),
    "too much JSON": (
        [status(200, error("x" * (17 << 20)))],
        SERVER,
        False,
        "16 MiB of text",
    ),
}


@pytest.mark.parametrize(("plan", "code", "retryable", "says"), FAULTS.values(), ids=FAULTS)
async def test_faults(upstream, provider, plan, code, retryable, says):
    upstream.play(list(plan))
    fault = await ask_in_vain(provider)
    assert (fault.code, fault.retryable) == (code, retryable)
    assert says in fault.message
    assert len(upstream.requests) == 1


async def test_no_answer_at_all(impatient):
    fault = await ask_in_vain(impatient, "hang")
    assert (fault.code, fault.retryable) == (SERVER, True)
    assert fault.message == "The upstream did not answer within 0.05 s."


async def test_silence_in_mid_stream(impatient):
    fault = await ask_in_vain(impatient, "silent-3")
    assert (fault.code, fault.retryable) == (SERVER, True)
    assert fault.message == "The upstream fell silent for 0.05 s in the middle of its answer."


async def test_the_pieces_before_a_fault_were_given_out(upstream, provider):
    upstream.play([text("a"), text("b"), HANG])
    turn = provider.turn(request())
    assert [(await anext(turn)).text, (await anext(turn)).text] == ["a", "b"]
    await turn.aclose()


async def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: refuses connections
        provider = OpenAICompatible(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        fault = await ask_in_vain(provider)
        await provider.aclose()
    assert (fault.code, fault.retryable) == (SERVER, True)
    assert "could not be reached. Check that it runs and that RUNSITE_UPSTREAM_URL" in fault.message


async def test_fails_once_then_answers(provider):
    fault = await ask_in_vain(provider, "status-500x1-then-text-2")
    assert fault.retryable
    assert (await ask(provider, "status-500x1-then-text-2")).text == "w0 w1 "


async def test_a_strict_upstream_refuses_a_broken_tool_history(provider):
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": calls}]
    fault = await ask_in_vain(provider, messages=messages)
    assert (fault.code, fault.retryable) == (PROMPT, False)
    assert "did not have response messages: c1" in fault.message
    messages.append({"role": "tool", "tool_call_id": "c2", "content": ""})
    assert "must be a response to" in (await ask_in_vain(provider, messages=messages)).message
    messages[-1]["tool_call_id"] = "c1"
    assert broken_history(messages) is None


RETRY_AFTER = {
    "seconds": ({"retry_after": "2"}, 2.0),
    "fractions": ({"retry_after": "0.5"}, 0.5),
    "milliseconds": ({"retry_after_ms": "250"}, 0.25),
    "milliseconds first": ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
    "a date gone by": ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    "negative": ({"retry_after": "-3"}, 0.0),
    "not a number": ({"retry_after": "nan"}, None),
    "not a time": ({"retry_after": "soon"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize(("sent", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER)
@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after(upstream, provider, sent, seconds, code):
    upstream.play([status(code, "", **sent)])
    assert (await ask_in_vain(provider)).retry_after == seconds


def test_retry_after_a_date_to_come():
    seconds = faults.retry_after({"retry-after": "Tue, 01 Jan 2999 00:00:00 GMT"})
    assert seconds is not None
    assert seconds > 1e9


async def test_no_advice_to_wait_where_waiting_is_no_cure(upstream, provider):
    upstream.play([status(400, "", retry_after="2")])
    assert (await ask_in_vain(provider)).retry_after is None


ECHOES = {
    "error body": [status(401, error(f"Incorrect key {KEY}"))],
    "error body, cut": [status(400, "x" * 480 + KEY)],
    "error in the stream": [text("a"), chunk(error(f"Wrong: {KEY}"))],
    "chunk that is not JSON": [raw(f"data: {KEY}\n\n")],
    "HTML page": [page(f"<p>{KEY}</p>")],
    "content type": [status(200, "", content_type=f"text/html{KEY}")],
    "encoding": [headers(content_encoding=KEY), text("a")],
}


@pytest.mark.parametrize("plan", ECHOES.values(), ids=ECHOES)
async def test_the_key_is_never_repeated(upstream, provider, plan):
    upstream.play(list(plan))
    fault = await ask_in_vain(provider)
    assert "sk-canary" not in fault.message
    assert "sk-canary" not in repr(fault)


async def test_a_password_in_the_address_is_never_repeated(upstream):
    provider = OpenAICompatible(upstream.url.replace("://", "://me:hunter2hunter2@"))
    upstream.play([status(400, error("no hunter2hunter2 here"))])
    fault = await ask_in_vain(provider)
    await provider.aclose()
    assert "said: no [redacted] here" in fault.message
    assert "hunter2" not in provider.name


async def test_the_upstreams_words_are_cut_and_made_harmless(upstream, provider):
    upstream.play([status(500, f"\x1b[31mred\x00\n\tand \u202eback {'x' * 9999}")])
    fault = await ask_in_vain(provider)
    said = fault.message.split("It said: ")[1]
    assert said.startswith("\\x1b[31mred\\x00 and \\u202eback xxx")
    assert len(said) == 500
    assert said.endswith("…")
    assert said.isprintable()


def test_a_short_key_is_not_scrubbed():
    assert faults.quote("none of it", ["none"]) == "none of it"


async def test_a_redirect_is_not_followed(upstream, provider):
    upstream.play([status(307, "", location=f"{upstream.url}/elsewhere")])
    await ask_in_vain(provider)
    assert [r.path for r in upstream.requests] == ["/v1/chat/completions"]


async def test_a_wrong_address_is_named_by_its_status(upstream):
    provider = OpenAICompatible(upstream.url.removesuffix("/v1") + "/nowhere/")
    upstream.play([status(404, error("Not found"))])
    fault = await ask_in_vain(provider)
    await provider.aclose()
    assert "Check the model's name, and that RUNSITE_UPSTREAM_URL ends in /v1" in fault.message
    assert upstream.requests[0].path == "/nowhere/chat/completions"


async def test_one_fault_does_not_touch_the_other_turns(upstream, provider):
    models = ["text-20x2", "drop-5", "status-500", "text-20x2"]
    turns = await asyncio.gather(*(ask(provider, m) for m in models), return_exceptions=True)
    assert [isinstance(turn, UpstreamError) for turn in turns] == [False, True, True, False]


SHAPES = {
    "OpenAI": (error("Text", type="t", code="c"), "Text (c)"),
    "text in error": ({"error": "Text"}, "Text"),
    "message": ({"object": "error", "message": "Text"}, "Text"),
    "FastAPI": ({"detail": "Text"}, "Text"),
    "unknown": ({"foo": 1}, '{"foo": 1}'),
    "list": ([1], "[1]"),
}


@pytest.mark.parametrize(("body", "words"), SHAPES.values(), ids=SHAPES)
def test_words_of_an_error_body(body, words):
    assert faults.words_of(json.dumps(body).encode()) == words
