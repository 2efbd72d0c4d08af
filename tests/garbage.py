"""Streams that no upstream should send, made from a seed: the same seed, the same bytes.

Each begins as a stream of good will (text, refusal, calls), gets some of its events spoilt, then
some of its bytes, is cut anywhere, and ends somehow.
"""

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

from tests.upstream_script import DROP, END, Plan, headers, raw

TEXTS = [
    "Hel",
    "lo ",
    "é😀",
    "\u2028",
    "\n\n",
    "data: x\n\n",
    "\0",
    "\ud83d",
    "\ude00",
    "x" * 5000,
    "",
]
SCALARS: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    2**70,
    "",
    "null",
    "\ud800",
    [],
    {},
    [None],
    {"": {}},
]
CONTENT_TYPES = ["text/event-stream"] * 6 + [
    "text/plain", "application/json", "text/html", "application/octet-stream", "", "é",
]  # fmt: skip
BYTES = [
    b"\xff\xfe", b"\xc3", b"\xf0\x9f", b"\0", b"\r", b"\n", b"\r\n\r\n", b"data: ", b"data: {",
    b"}", b": x\n", b"event: error\n", b"data: [DONE]\n\n", b"[", b'"', b"\\", b"id: 1\n",
    b"retry: 0\n", b"\xef\xbb\xbf",
]  # fmt: skip
BIG = 1_200_000  # bytes: more than one line may have


def plan_of_seed(seed: int) -> Plan:
    """One whole answer of the scripted upstream."""
    dice = random.Random(seed)  # noqa: S311  repeatable, not secret
    stream = b"".join(frame(dice, event) for event in spoilt(dice, events(dice)))
    stream = torn(dice, stream)
    start: Plan = [headers(content_type=dice.choice(CONTENT_TYPES).encode().decode("latin-1"))]
    return [*start, *pieces(dice, stream), dice.choice([END, END, END, DROP])]


def events(dice: random.Random) -> list[Any]:
    """The chunks of a stream of good will, and the word that ends it."""
    kinds = [dice.choice([text, text, text, refusal, call]) for _ in range(dice.randrange(8))]
    deltas = [{"role": "assistant", "content": ""}, *(kind(dice) for kind in kinds)]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    reason = dice.choice(["stop", "stop", "length", "tool_calls", "content_filter", "\ud800", None])
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    return [*chunks, *dice.choice([[last], [last, usage], [usage, last], []]), "[DONE]"]


def text(dice: random.Random) -> dict[str, Any]:
    return {"content": dice.choice(TEXTS)}


def refusal(dice: random.Random) -> dict[str, Any]:
    return {"refusal": dice.choice(TEXTS)}


def call(dice: random.Random) -> dict[str, Any]:
    """A fragment of a call, with whichever of its parts."""
    function = {"name": dice.choice(["get_time", "", None, 7]), "arguments": dice.choice(TEXTS)}
    fragment = {"index": dice.choice([0, 1, None, "0", -5]), "id": dice.choice(["c1", "c2", None])}
    return {"tool_calls": [{**fragment, "function": function}]}


def spoilt(dice: random.Random, chunks: list[Any]) -> list[Any]:
    """Some events doubled, left away, swapped, or with something else in one of their places."""
    for _ in range(dice.choice([0, 0, 1, 2, 5])):
        if not chunks:
            break
        at = dice.randrange(len(chunks))
        change: Callable[[], Any] = dice.choice(
            [
                lambda at=at: chunks.insert(at, chunks[at]),
                lambda at=at: chunks.pop(at),
                lambda at=at: chunks.insert(at, dice.choice([*SCALARS, {"error": "boom"}])),
                lambda at=at: chunks.__setitem__(at, replaced(dice, chunks[at])),
            ]
        )
        change()
    return chunks


def replaced(dice: random.Random, value: Any) -> Any:
    """A copy with another value in some place of it."""
    if not value or dice.random() < 0.2 or not isinstance(value, dict | list):
        return dice.choice(SCALARS)
    if isinstance(value, list):
        at = dice.randrange(len(value))
        return [replaced(dice, item) if i == at else item for i, item in enumerate(value)]
    name = dice.choice(sorted(value))
    return {**value, name: replaced(dice, value[name])}


def frame(dice: random.Random, event: Any) -> bytes:
    """An event as bytes, its lines ended in any of the three ways."""
    end = dice.choice([b"\n", b"\n", b"\n", b"\r\n", b"\r"])
    data = event if event == "[DONE]" else json.dumps(event, ensure_ascii=dice.random() < 0.5)
    return b"data: " + data.encode("utf-8", "surrogatepass") + end + end


def torn(dice: random.Random, stream: bytes) -> bytes:
    """Some bytes left away, or others put between."""
    for _ in range(dice.choice([0, 0, 0, 1, 3])):
        at, size = dice.randrange(len(stream) + 1), dice.randrange(12)
        middle = dice.choice([b"", dice.choice(BYTES), dice.choice(BYTES), dice.randbytes(size)])
        stream = stream[:at] + middle + stream[at + dice.choice([0, 0, size]) :]
    if dice.random() < 0.02:
        stream = stream[: len(stream) // 2] + dice.choice([b"x", b"\n", b"\0"]) * BIG + stream
    return stream


def pieces(dice: random.Random, stream: bytes) -> Plan:
    """The stream cut anywhere, in the middle of characters too."""
    most = 8 if len(stream) < 10_000 else 3
    cuts = sorted(dice.randrange(len(stream) + 1) for _ in range(dice.randrange(most)))
    edges = [0, *cuts, len(stream)]
    parts = [stream[a:b] for a, b in itertools.pairwise(edges)]
    return [raw(part.decode("utf-8", "surrogateescape")) for part in parts if part]
