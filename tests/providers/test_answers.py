"""The answers an upstream gives, good and strange, over real HTTP."""

import asyncio
import time

import pytest

from runs.providers.base import TextPiece, UpstreamError, Usage
from runs.providers.openai_compatible import OpenAICompatible
from tests.providers.turns import ask, request
from tests.upstream_script import (
    DONE,
    DROP,
    END,
    HANG,
    call,
    chunk,
    expected_text,
    finish,
    headers,
    raw,
    status,
    text,
    usage,
)

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def choice(**fields):
    return chunk({"choices": [{"index": 0, **fields}]})


async def test_text_with_a_delay_arrives_as_it_is_sent(upstream, provider):
    arrived = [
        time.monotonic()
        async for piece in provider.turn(request("text-5x20"))
        if isinstance(piece, TextPiece)
    ]
    sent = upstream.requests[0].sent_at
    assert len(arrived) == len(sent) == 5
    # Not in one burst at the end; how fast is no matter for a test on a busy machine.
    assert arrived[-1] - arrived[0] > 0.7 * (sent[-1] - sent[0])


async def test_text_and_usage_are_whole(provider):
    turn = await ask(provider, "text-50")
    assert turn.text == expected_text("text-50")
    assert (turn.reason, turn.end.usage) == ("stop", Usage(10, 50))
    assert turn.end.usage.total == 60


async def test_usage_details_are_read(upstream, provider):
    details = {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    upstream.play([text("x"), finish(), usage(10, 5, **details), DONE, END])
    assert (await ask(provider)).end.usage == Usage(10, 5, cached_tokens=4, reasoning_tokens=3)


async def test_several_rounds_of_calls_follow_the_history(upstream, provider):
    model = "tools-1-then-tools-2-then-text-3"
    messages = [{"role": "user", "content": "Hello"}]
    for round_calls in (1, 2):
        turn = await ask(provider, model, messages=messages, tools=[TOOL])
        assert len(turn.calls) == round_calls
        assert turn.reason == "tool_calls"
        calls = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in turn.calls
        ]
        messages.append({"role": "assistant", "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": c["id"], "content": "ok"} for c in calls]
    turn = await ask(provider, model, messages=messages, tools=[TOOL])
    assert (turn.text, turn.reason) == (expected_text(model), "stop")
    assert len({call_id for r in messages for call_id in [r.get("tool_call_id")] if call_id}) == 3


CALLS = {
    "in fragments": (
        [call("", call_id="c1", name="f"), call('{"a'), call('": 1}')],
        [["c1", "f", '{"a": 1}']],
    ),
    "in one chunk": ([call("{}", call_id="c1", name="f")], [["c1", "f", "{}"]]),
    "without ids": (
        [call("{}", name="f"), call("{}", index=1, name="g")],
        [[None, "f", "{}"], [None, "g", "{}"]],
    ),
    "arguments that are not JSON": (
        [call("{oops", call_id="c1", name="f")],
        [["c1", "f", "{oops"]],
    ),
    "a name never offered": ([call("{}", call_id="c1", name="who")], [["c1", "who", "{}"]]),
    "parallel and interleaved": (
        [
            call("", index=0, call_id="c1", name="f"),
            call("", index=1, call_id="c2", name="g"),
            call("[0", index=0),
            call("[1", index=1),
            call("]", index=0),
            call("]", index=1),
        ],
        [["c1", "f", "[0]"], ["c2", "g", "[1]"]],
    ),
    "every index 0": (
        [call("{}", call_id="c1", name="f"), call("{}", call_id="c2", name="f")],
        [["c1", "f", "{}"], ["c2", "f", "{}"]],
    ),
    "every index 0, no ids": (
        [call("{}", name="f"), call("{}", name="g")],
        [[None, "f", "{}"], [None, "g", "{}"]],
    ),
    "no index, ids": (
        [
            call("[", index=None, call_id="c1", name="f"),
            call("[", index=None, call_id="c2", name="f"),
            call("]", index=None, call_id="c1"),
            call("]", index=None, call_id="c2"),
        ],
        [["c1", "f", "[]"], ["c2", "f", "[]"]],
    ),
    "no index, no ids": (
        [call("[", index=None, name="f"), call("]", index=None), call("{}", index=None, name="f")],
        [[None, "f", "[]"], [None, "f", "{}"]],
    ),
    "id and name repeated": (
        [call("[", call_id="c1", name="f"), call("]", call_id="c1", name="f")],
        [["c1", "f", "[]"]],
    ),
    "id and name late": ([call("["), call("]", call_id="c1", name="f")], [["c1", "f", "[]"]]),
    "a name after another call": (
        [call("[", call_id="c1"), call("{}", index=1, call_id="c2", name="g"), call("]", name="f")],
        [["c2", "g", "{}"], ["c1", "f", "[]"]],
    ),
    "gaps between indexes": (
        [call("{}", index=7, call_id="c1", name="f"), call("{}", index=3, call_id="c2", name="g")],
        [["c1", "f", "{}"], ["c2", "g", "{}"]],
    ),
    "never a name": ([call("{}", call_id="c1")], [["c1", None, "{}"]]),
    "arguments as an object": (
        [choice(delta={"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]})],
        [[None, "f", '{"a": 1}']],
    ),
    "what is no call at all": ([choice(delta={"tool_calls": [None, 3]}), text("x")], []),
}


@pytest.mark.parametrize(("plan", "calls"), CALLS.values(), ids=CALLS)
async def test_calls(upstream, provider, plan, calls):
    upstream.play(list(plan))
    turn = await ask(provider, tools=[TOOL])
    assert turn.calls == calls
    assert turn.reason == ("tool_calls" if calls else "stop")


async def test_text_before_calls_in_one_turn(provider):
    turn = await ask(provider, "text-3+tools-2", tools=[TOOL])
    assert turn.text == expected_text("text-3")
    assert [name for _, name, _ in turn.calls] == ["look", "look"]


async def test_a_named_tool_choice_ends_with_stop_yet_calls(upstream, provider):
    upstream.play([call("{}", call_id="c1", name="look"), finish("stop")])
    assert (await ask(provider, tools=[TOOL])).reason == "tool_calls"


ENDINGS = {
    "finish length": ([text("a"), finish("length")], "a", "length"),
    "content_filter": ([text("a"), finish("content_filter")], "a", "content_filter"),
    "a reason of its own": ([text("a"), finish("eos")], "a", "eos"),
    "empty answer": ([finish("stop")], "", "stop"),
    "no usage": ([text("a"), finish(), DONE, END], "a", "stop"),
    "[DONE] with no finish reason": ([text("a"), DONE, END], "a", "stop"),
    "[DONE] without its blank line": ([text("a"), finish(), raw("data: [DONE]"), END], "a", "stop"),
    "[DONE] twice and a second answer": ([text("a"), finish(), DONE, text("b")], "a", "stop"),
    "text after the finish reason": ([text("a"), finish(), text("b")], "a", "stop"),
    "end after the finish reason": ([text("a"), finish(), END], "a", "stop"),
    "cut after the finish reason": ([text("a"), finish(), DROP], "a", "stop"),
    "junk after the finish reason": ([text("a"), finish(), raw("data: <junk>\n\n")], "a", "stop"),
    "error after the finish reason": ([text("a"), finish(), chunk({"error": "late"})], "a", "stop"),
    "finish reason with the last text": (
        [choice(delta={"content": "a"}, finish_reason="length")],
        "a",
        "length",
    ),
    "last event cut off after its data": (
        [text("a"), raw('data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'), END],
        "a",
        "stop",
    ),
    "stream labelled text/plain": ([headers(content_type="text/plain"), text("a")], "a", "stop"),
    "unknown extra fields": (
        [
            chunk({"id": 1, "x_groq": {}, "choices": [], "usage": None, "foo": []}),
            choice(delta={"role": "assistant", "reasoning_content": "hm", "function_call": {}}),
            choice(delta={"content": "a", "annotations": []}, logprobs={"content": []}, foo=[1]),
        ],
        "a",
        "stop",
    ),
    "wrong types": (
        [
            chunk({"choices": {}}),
            chunk({"choices": [3]}),
            choice(delta=[]),
            choice(delta={"content": 3}),
            text("a"),
            chunk({"choices": [], "usage": {"prompt_tokens": "many"}}),
        ],
        "a",
        "stop",
    ),
    "a second choice": (
        [text("a"), chunk({"choices": [{"index": 1, "delta": {"content": "b"}}]})],
        "a",
        "stop",
    ),
    "content in parts": (
        [choice(delta={"content": [{"type": "text", "text": "a"}, {"type": "thinking"}]})],
        "a",
        "stop",
    ),
    "keep-alive comments": ([raw(": ping\n\n"), text("a"), raw(":\n\n")], "a", "stop"),
    "CRLF": ([raw('data: {"choices": [{"delta": {"content": "a"}}]}\r\n\r\n')], "a", "stop"),
    "NUL": ([text("a\0b")], "a\ufffdb", "stop"),
    "lone surrogate": ([text("a\ud800b")], "a\ufffdb", "stop"),
    "surrogate at the end": ([text("a\ud83d")], "a\ufffd", "stop"),
    "surrogate pair over two deltas": ([text("a\ud83d"), text("\ude00b")], "a😀b", "stop"),
    "not UTF-8": (
        [raw('data: {"choices": [{"delta": {"content": "a\udcff"}}]}\n\n')],
        "a\ufffd",
        "stop",
    ),
}


@pytest.mark.parametrize(("plan", "expected", "reason"), ENDINGS.values(), ids=ENDINGS)
async def test_endings(upstream, provider, plan, expected, reason):
    upstream.play(list(plan))
    turn = await ask(provider)
    assert (turn.text, turn.reason) == (expected, reason)


async def test_no_usage_is_none(upstream, provider):
    upstream.play([text("a"), finish(), DONE, END])
    assert (await ask(provider)).end.usage is None


async def test_silence_after_the_finish_reason_is_the_end(upstream, impatient):
    upstream.play([text("a"), finish(), HANG])
    assert (await ask(impatient)).text == "a"


async def test_refusal(provider):
    turn = await ask(provider, "refuse-3")
    assert (turn.text, turn.refusal, turn.reason) == ("", "w0 w1 w2 ", "stop")


async def test_an_upstream_that_cannot_stream(upstream, provider):
    function = {"name": "f", "arguments": "{}"}
    message = {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"id": "c1", "function": function}],
    }
    body = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    upstream.play([status(200, body)])
    turn = await ask(provider)
    assert (turn.text, turn.calls) == ("Hi", [["c1", "f", "{}"]])
    assert (turn.reason, turn.end.usage) == ("tool_calls", Usage(3, 2))


async def test_only_what_was_said_is_sent(upstream, provider):
    await ask(provider, "text-1", temperature=0.0, tool_choice="none", parallel_tool_calls=True)
    assert upstream.requests[0].body == {
        "model": "text-1",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
    }


async def test_every_option_is_passed_on(upstream, provider):
    options = {
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "max_completion_tokens": 7,
    }
    await ask(provider, "text-1", **options)
    body = upstream.requests[0].body
    assert {name: body[name] for name in options} == options


async def test_auto_response_format_is_not_sent(upstream, provider):
    await ask(provider, "text-1", response_format="auto")
    assert "response_format" not in upstream.requests[0].body


async def test_half_a_surrogate_in_a_message_can_be_sent(upstream, provider):
    await ask(provider, "text-1", messages=[{"role": "user", "content": "a\ud800é"}])
    assert upstream.requests[0].messages[0]["content"] == "a?é"


async def test_headers(upstream, provider):
    await ask(provider, "text-1")
    sent = upstream.requests[0].headers
    assert sent["authorization"] == "Bearer sk-canary-0123456789abcdef"
    assert sent["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("option", "instead"), [("stream_options", None), ("max_completion_tokens", "max_tokens")]
)
async def test_a_refused_option_is_left_away_from_then_on(upstream, provider, option, instead):
    refusal = status(422, {"detail": f"Extra inputs are not permitted: {option}"})
    upstream.play([refusal], [text("a")], [text("b")])
    assert (await ask(provider, max_completion_tokens=5)).text == "a"
    assert (await ask(provider, max_completion_tokens=5)).text == "b"
    first, *others = [r.body for r in upstream.requests]
    assert option in first
    assert [option in body for body in others] == [False, False]
    assert instead is None or [body[instead] for body in others] == [5, 5]


async def test_parallel_calls_that_are_refused_are_not_spoken_of(upstream, provider):
    refusal = status(400, {"error": {"message": "Unsupported parameter: 'parallel_tool_calls'."}})
    upstream.play([refusal], [text("a")], [text("b")])
    for expected in ("a", "b"):
        turn = await ask(provider, tools=[TOOL], parallel_tool_calls=True)
        assert turn.text == expected
    sent = ["parallel_tool_calls" in request.body for request in upstream.requests]
    assert sent == [True, False, False]


async def test_single_calls_are_demanded_even_if_that_is_refused(upstream, provider):
    """Left away, the option would mean the opposite."""
    refusal = status(400, {"error": {"message": "Unsupported parameter: 'parallel_tool_calls'."}})
    upstream.play([refusal], [text("a")], [refusal])
    await ask(provider, tools=[TOOL], parallel_tool_calls=True)
    with pytest.raises(UpstreamError) as refused:
        await ask(provider, tools=[TOOL], parallel_tool_calls=False)
    assert refused.value.code == "invalid_prompt"
    sent = [request.body.get("parallel_tool_calls") for request in upstream.requests]
    assert sent == [True, None, False]


async def test_connections_are_kept_alive(upstream, provider):
    for _ in range(5):
        await ask(provider, "text-3")
    assert upstream.connections == 1


async def test_a_kept_connection_that_was_closed_is_replaced(upstream, provider):
    upstream.play([text("a")], [DROP], [text("b")])
    assert [(await ask(provider)).text for _ in range(2)] == ["a", "b"]
    assert upstream.connections == 2


async def test_many_turns_at_once(upstream, provider):
    turns = await asyncio.gather(*(ask(provider, "text-20x1") for _ in range(120)))
    assert {turn.text for turn in turns} == {expected_text("text-20")}


async def test_closing_a_turn_closes_the_connection_at_once(upstream, provider):
    turn = provider.turn(request("text-500x10"))
    await anext(turn)
    await turn.aclose()
    await asyncio.to_thread(upstream.wait_until, lambda: upstream.requests[0].closed_at)
    assert len(upstream.requests[0].sent_at) < 500


async def test_cancelling_the_task_closes_the_connection_at_once(upstream, provider):
    task = asyncio.create_task(ask(provider, "silent-2"))
    await asyncio.to_thread(upstream.wait_until, lambda: len(upstream.requests or ()) == 1)
    await asyncio.to_thread(upstream.wait_until, lambda: len(upstream.requests[0].sent_at) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(upstream.wait_until, lambda: upstream.requests[0].closed_at)


async def test_a_turn_of_many_tokens_costs_little(provider):
    began = time.perf_counter()
    turn = await ask(provider, "text-3000")
    assert turn.text == expected_text("text-3000")
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:1/v1", "http://", "http://x:y/v1"])
def test_an_address_that_cannot_be_used(url):
    with pytest.raises(ValueError, match="RUNSITE_UPSTREAM_URL"):
        OpenAICompatible(url)


@pytest.mark.parametrize("key", ["clé-secrète", "two\nlines"])
def test_a_key_that_cannot_be_sent(key):
    with pytest.raises(ValueError, match="RUNSITE_UPSTREAM_KEY") as caught:
        OpenAICompatible("http://x/v1", key)
    assert key not in str(caught.value)
