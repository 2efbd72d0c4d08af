"""The answers an upstream gives, good and strange, over real HTTP."""

import time

import pytest

from runs.providers.base import TextPiece, Usage
from tests.providers.turns import TOOL, ask, request
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


async def test_a_turn_of_many_tokens_costs_little(provider):
    began = time.perf_counter()
    turn = await ask(provider, "text-3000")
    assert turn.text == expected_text("text-3000")
    assert time.perf_counter() - began < 3
