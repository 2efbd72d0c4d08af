"""What an upstream is asked, with which options, and over which connections."""

import asyncio

import pytest

from runs.providers.base import UpstreamError
from runs.providers.openai_compatible import OpenAICompatible
from tests.providers.turns import TOOL, ask, request
from tests.upstream_script import DROP, expected_text, status, text


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


@pytest.mark.slow
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


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:1/v1", "http://", "http://x:y/v1"])
def test_an_address_that_cannot_be_used(url):
    with pytest.raises(ValueError, match="RUNSITE_UPSTREAM_URL"):
        OpenAICompatible(url)


@pytest.mark.parametrize("key", ["clé-secrète", "two\nlines"])
def test_a_key_that_cannot_be_sent(key):
    with pytest.raises(ValueError, match="RUNSITE_UPSTREAM_KEY") as caught:
        OpenAICompatible("http://x/v1", key)
    assert key not in str(caught.value)
