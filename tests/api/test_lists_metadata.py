"""The filter of the lists of a whole project by metadata."""

import pytest

from tests.api.client import error_of, ok
from tests.api.listing import LISTS, RUNS, THREADS, found, ids_of, make, metadata, query

pytestmark = pytest.mark.slow

#: Keys that a path language, a query string or a database could take for something else.
KEYS = (
    "plain",
    "",
    " ",
    "0",
    "-1",
    "1.5",
    "a.b",
    "a__b",
    "a__contains",
    "a-b",
    "$",
    "$.a",
    "$[0]",
    "[0]",
    "a]",
    "[",
    "a][b",
    'quo"te',
    "quo'te",
    'back\\slash"',
    "a\nb\tc",
    "é",
    "😀",
    "\u2028",
    "%s",
    "100%",
    "{}",
    "{a,b}",
    "null",
    "k" * 64,
)
VALUES = ("value", "", "null", "true", "1", '{"a": 1}', "é😀", "quo'te\"", "a\\b", "%", "v" * 512)


# --- metadata ---


@pytest.mark.parametrize("url", LISTS)
def test_any_key_and_any_value(api, url, subtests):
    by_key = {key: make(url, api.project, metadata={key: "here", "z": key}) for key in KEYS}
    by_value = {value: make(url, api.project, metadata={"v": value}) for value in VALUES}
    for key, row in by_key.items():
        with subtests.test(f"key {key!r}"):
            assert found(api, url, query(metadata(key, "here"))) == [row.id]
            assert found(api, url, query(metadata(key, "gone"))) == []
    for value, row in by_value.items():
        with subtests.test(f"value {value!r}"):
            assert found(api, url, query(metadata("v", value))) == [row.id]


@pytest.mark.parametrize("url", LISTS)
def test_all_pairs_must_match(api, url):
    rows = [make(url, api.project, metadata={"a": a, "b": b, "c": "c"}) for a in "12" for b in "12"]
    assert found(api, url, query(metadata("a", "1"))) == ids_of(rows[:2])
    assert found(api, url, query(metadata("a", "1"), metadata("b", "2"))) == [rows[1].id]
    assert found(api, url, query(metadata("a", "1"), metadata("a", "1"))) == ids_of(rows[:2])
    assert found(api, url, query(metadata("a", "1"), metadata("x", "1"))) == []
    assert found(api, url, query(metadata("c", "c"))) == ids_of(rows)
    assert found(api, url, query(metadata("A", "1"))) == []
    assert found(api, url, "?metadata%5Bc%5D=c&metadata[b]=1") == ids_of([rows[0], rows[2]])


@pytest.mark.parametrize("url", LISTS)
def test_metadata_that_changes(api, url):
    row = make(url, api.project, metadata={"a": "1"})
    path = f"{THREADS}/{row.thread_id}/runs/{row.id}" if url == RUNS else f"{THREADS}/{row.id}"
    ok(api.post(path, {"metadata": {"a": "2"}}))
    assert found(api, url, query(metadata("a", "1"))) == []
    assert found(api, url, query(metadata("a", "2"))) == [row.id]


@pytest.mark.parametrize("url", LISTS)
def test_as_many_pairs_as_an_object_can_have(api, url):
    full = {f"k{n:02}" + "x" * 61: "v" * 512 for n in range(16)}
    row = make(url, api.project, metadata=full)
    pairs = [metadata(key, value) for key, value in full.items()]
    assert found(api, url, query(*pairs)) == [row.id]
    assert found(api, url, query(*pairs[1:], metadata("k", "v"))) == []


@pytest.mark.parametrize("url", LISTS)
@pytest.mark.parametrize(
    ("params", "code", "param", "message"),
    [
        (
            "metadata=a",
            "invalid_type",
            "metadata",
            "Invalid type for 'metadata': expected an object, but got a string instead.",
        ),
        (
            "metadata[a=b",
            "invalid_value",
            "metadata",
            "Invalid 'metadata': 'metadata[a' has no closing bracket. "
            "Expected metadata[key]=value.",
        ),
        (
            "metadata[{b}]=%7Bparam%7D&metadata[x%7Bparam%7D=1",
            "invalid_value",
            "metadata",
            "Invalid 'metadata': 'metadata[x{param}' has no closing bracket. "
            "Expected metadata[key]=value.",
        ),
        (
            "metadata[a]=1&metadata[a]=2",
            "invalid_value",
            "metadata.a",
            "Invalid 'metadata.a': given with different values. All given pairs must match.",
        ),
        (
            "&".join(f"metadata[{n}]=x" for n in range(17)),
            "object_above_max_properties",
            "metadata",
            "Invalid 'metadata': too many properties. Expected an object with at most 16 "
            "properties, but got an object with 17 properties instead.",
        ),
        (
            f"metadata[{'k' * 65}]=x",
            "string_above_max_length",
            "metadata",
            "Invalid property name in 'metadata': string too long. Expected a string with "
            "maximum length 64, but got a string with length 65 instead.",
        ),
        (
            f"metadata[k]={'v' * 513}",
            "string_above_max_length",
            "metadata.k",
            "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, "
            "but got a string with length 513 instead.",
        ),
        (
            "metadata[k]=a%00b",
            "invalid_value",
            "metadata.k",
            "Invalid 'metadata.k': a string with a NUL character cannot be stored.",
        ),
        (
            "metadata[a%00]=b",
            "invalid_value",
            "metadata",
            "Invalid 'metadata': a property name with a NUL character cannot be stored.",
        ),
    ],
)
def test_metadata_that_none_can_have(api, url, params, code, param, message):
    assert error_of(api.get(f"{url}?{params}"), 400) == {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }
