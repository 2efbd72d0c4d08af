"""Reading a body: what is JSON for us, and that nothing hostile takes long."""

import json
import time

import pytest

from runs.contract.errors import NotJson
from runs.contract.limits import BODY_BYTES, JSON_DEPTH, JSON_TOKENS
from runs.inputs.parsers import parse

REFUSED = {
    "open object": b"{",
    "open array": b'{"a": [',
    "open string": b'{"a": "b',
    "escape at the end": b'{"a": "\\',
    "trailing comma": b'{"a": 1,}',
    "no quotes": b"{a: 1}",
    "single quotes": b"{'a': 1}",
    "two values": b"{}{}",
    "comment": b'{"a": 1} // x',
    "text": b"hello",
    "form": b"a=1&b=2",
    "tab in a string": b'{"a": "\t"}',
    "NUL in a string": b'{"a": "\0"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "overlong": b'{"a": "\xc0\xaf"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": -Infinity}',
    "too large a float": b'{"a": 1e999}',
    "too large a negative float": b'{"a": -1e999}',
    "too many digits": b'{"a": ' + b"9" * 5000 + b"}",
    "leading zero": b'{"a": 01}',
    "plus": b'{"a": +1}',
    "hexadecimal": b'{"a": 0x1}',
    "bad escape": b'{"a": "\\x41"}',
    "half an escape": b'{"a": "\\u00"}',
    "duplicate name": b'{"a": 1, "a": 2}',
    "duplicate name inside": b'{"b": [{"a": 1, "a": 1}]}',
    "duplicate by escape": b'{"a": 1, "\\u0061": 2}',
    "deep array": b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1),
    "deep object": b'{"a":' * (JSON_DEPTH + 1) + b"1" + b"}" * (JSON_DEPTH + 1),
    "very deep array": b"[" * 1_000_000,
    "very deep object": b'{"a":' * 1_000_000,
    "deep after a closed part": b'{"a": [], "b": ' + b"[" * 100_000,
    "broad": b"[" + b"1," * JSON_TOKENS + b"1]",
    "broad with strings": b"[" + b'"",' * JSON_TOKENS + b"1]",
    "broad with brackets": b"[" + b"[]," * JSON_TOKENS + b"1]",
    "closing brackets": b"]" * 1_000_000,
    "commas": b"," * BODY_BYTES,
    "backslashes": b"\\" * BODY_BYTES,
    "quotes": b'"' * BODY_BYTES,
    "escaped quotes never closed": b'{"a": "' + b'\\"' * (BODY_BYTES // 2),
    "a string never closed": b'{"a": "' + b"x" * BODY_BYTES,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(body):
    started = time.process_time()
    with pytest.raises(NotJson) as refused:
        parse(body)
    assert time.process_time() - started < 1.0  # a guard against quadratic time, not a target
    assert len(refused.value.message) < 300


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_no_body_is_an_empty_object(body):
    assert parse(body) == {}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, -2, 3.5, 1e300, True, False, None, "x", {"": ""}]},
        {"brackets in a string": "[[[[{{{{" * 1000},
        {"quotes": '"\\"', "emoji": "😀", "line ends": "\r\n\u2028"},
        [],
        None,
        "text",
        10**4000,
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_is_read_as_it_is(value):
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


def test_the_deepest_and_the_broadest():
    nested = b"[" * JSON_DEPTH + b"]" * JSON_DEPTH
    assert parse(nested) == json.loads(nested)
    assert len(parse(b"[" + b"1," * (JSON_TOKENS - 3) + b"1]")) == JSON_TOKENS - 2


def test_half_a_million_escaped_emoji_fit():
    text = "😀" * 512_000
    assert parse(json.dumps({"content": text}).encode()) == {"content": text}
