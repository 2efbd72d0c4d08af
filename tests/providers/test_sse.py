"""The reader of event streams: whatever the cuts, the same events."""

from itertools import pairwise, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.providers.base import UpstreamError
from runs.providers.sse import EventReader

EVENTS = {
    "one": (b"data: a\n\n", ["a"]),
    "no space": (b"data:a\n\n", ["a"]),
    "one space is taken away, not two": (b"data:  a\n\n", [" a"]),
    "lines are joined": (b"data: a\ndata: b\ndata\n\n", ["a\nb\n"]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    "CR": (b"data: a\r\rdata: b\r\r", ["a", "b"]),
    "comments": (b": hi\n\n:\ndata: a\n: between\n\n", ["a"]),
    "other fields": (b"event: x\nid: 1\nretry: 2\nfoo: 3\ndata: a\n\n", ["a"]),
    "events without data": (b"event: x\n\n\n\ndata: a\n\n", ["a"]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
    "colon in the data": (b"data: a: b\n\n", ["a: b"]),
    "characters of several bytes": ("data: é😀\n\n".encode(), ["é😀"]),
    "not UTF-8": (b"data: a\xff\xfe\n\n", ["a\ufffd\ufffd"]),
    "cut off": (b"data: a\n\ndata: b", ["a", "b"]),
    "cut off after its line": (b"data: a\n\ndata: b\r\n", ["a", "b"]),
    "cut off in a CR": (b"data: b\r", ["b"]),
    "line separators of Unicode end no line": (
        "data: a\u2028b\x0bc\n\n".encode(),
        ["a\u2028b\x0bc"],
    ),
}


def read(*chunks: bytes) -> list[str]:
    reader = EventReader()
    events = [data for chunk in chunks for data in reader.feed(chunk)]
    return events + reader.finish()


@pytest.mark.parametrize(("stream", "events"), EVENTS.values(), ids=EVENTS)
def test_events(stream, events):
    assert read(stream) == events
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == events


ASCII = [b"data: ", b"data:", b"a", b"\n", b"\r\n", b"\r", b"\n\n", b": ping\n", b"event: x\n"]
OTHER = [b"data: [DONE]\n\n", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xff"]
PIECES = st.sampled_from(ASCII + OTHER)


@given(st.lists(PIECES, max_size=30).map(b"".join), st.lists(st.integers(0, 120), max_size=12))
def test_the_cuts_do_not_matter(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert read(*chunks) == read(stream)


@pytest.mark.parametrize("size", [10, 1000, 1 << 20])
def test_an_endless_line_is_given_up(size):
    with pytest.raises(UpstreamError, match="1 MiB in one line"):
        read(*repeat(b"x" * size, (1 << 20) // size + 1))


def test_a_long_line_is_given_up_though_it_ends():
    with pytest.raises(UpstreamError, match="1 MiB in one line"):
        read(b"data: " + b"x" * (1 << 20) + b"\n\n")


def test_an_endless_event_is_given_up():
    with pytest.raises(UpstreamError, match="4 MiB in one event"):
        read(*repeat(b"data: " + b"x" * 1000 + b"\n", 6000))
