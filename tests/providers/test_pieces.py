"""Pieces of a turn: what the fragments come to does not depend on where they were cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.providers.base import IMAGE_TOKENS, estimate_tokens
from runs.providers.pieces import Mender, TurnReader, mend, usage_of
from tests.providers.turns import Turn


def gathered(contents: list[str], key: str = "content") -> Turn:
    reader, turn = TurnReader(), Turn()
    for content in contents:
        for piece in reader.feed({"choices": [{"delta": {key: content}}]}):
            turn.add(piece)
    for piece in reader.finish():
        turn.add(piece)
    return turn


CODE_UNITS = st.text(st.sampled_from("a\0é\ud83d\ude00\udbff\udc00"), max_size=12)


@given(CODE_UNITS, st.integers(0, 12))
def test_text_cut_anywhere_is_mended_the_same(text, cut):
    mended = mend(text)
    assert gathered([text[:cut], text[cut:]]).text == mended
    assert gathered(list(text), "refusal").refusal == mended
    mended.encode()
    assert "\0" not in mended


def test_a_half_waits_for_its_other_half_only():
    mender = Mender()
    assert [mender.feed("a\ud83d"), mender.feed("\ude00"), mender.feed("b")] == ["a", "😀", "b"]
    assert mender.finish() == ""


def test_arguments_are_mended_per_call():
    reader, turn = TurnReader(), Turn()
    for index, arguments in ((0, "\ud83d"), (1, "\ud83d"), (0, "\ude00"), (1, "x")):
        fragment = {"index": index, "function": {"name": "f", "arguments": arguments}}
        for piece in reader.feed({"choices": [{"delta": {"tool_calls": [fragment]}}]}):
            turn.add(piece)
    assert [arguments for _, _, arguments in turn.calls] == ["😀", "\ufffdx"]


ODD = st.sampled_from([None, True, 0, -1, 1.5, "", "x", [], [None], {}, {"name": []}, float("nan")])
FUNCTION = st.fixed_dictionaries({}, optional={"name": ODD, "arguments": ODD}) | ODD
CALL = st.fixed_dictionaries({}, optional={"index": ODD, "id": ODD, "function": FUNCTION}) | ODD
CALLS = st.lists(CALL, max_size=3) | ODD
DELTA = st.fixed_dictionaries({}, optional={"content": ODD, "refusal": ODD, "tool_calls": CALLS})
CHOICE = st.fixed_dictionaries({}, optional={"delta": DELTA, "index": ODD, "finish_reason": ODD})
USAGE = st.fixed_dictionaries({}, optional={"prompt_tokens": ODD, "prompt_tokens_details": ODD})
CHUNK = st.fixed_dictionaries(
    {}, optional={"choices": st.lists(CHOICE, max_size=2), "usage": USAGE}
)


@given(st.lists(CHUNK, max_size=4))
def test_no_chunk_is_strange_enough_to_fail(chunks):
    reader, turn = TurnReader(), Turn()
    for chunk in chunks:
        for piece in reader.feed(chunk):
            turn.add(piece)
    for piece in reader.finish():
        turn.add(piece)
    assert turn.end is not None


def test_usage_that_cannot_be_read_is_none_or_zero():
    assert usage_of({"total_tokens": 3}) is None
    usage = usage_of({"prompt_tokens": -1, "completion_tokens": 1e99})
    assert usage is not None
    assert usage.total == 0


def test_estimates_are_a_quarter_of_the_characters():
    assert estimate_tokens("") == 0
    assert estimate_tokens("12345") == 2
    assert 10 <= estimate_tokens([{"role": "user", "content": "x" * 40}]) <= 25


@pytest.mark.parametrize("letters", [0, 1_000_000])
def test_an_image_is_estimated_as_one_however_long_its_address(letters):
    url = "data:image/png;base64," + "A" * letters
    image = {"type": "image_url", "image_url": {"url": url, "detail": "auto"}}
    parts = [{"type": "text", "text": "What is this?"}, image]
    estimate = estimate_tokens([{"role": "user", "content": parts}])
    assert IMAGE_TOKENS < estimate < IMAGE_TOKENS + 50
