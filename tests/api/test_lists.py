"""The lists of a whole project, runs and threads, and their filters."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.contract import ids
from runs.contract.status import RunStatus
from runs.models import Run, Thread
from tests.api.client import error_of, ok
from tests.factories import make_assistant, make_run, make_thread

pytestmark = pytest.mark.slow

RUNS = "/v1/runs"
THREADS = "/v1/threads"
LISTS = (RUNS, THREADS)
AT = 1_800_000_000  # Unix seconds

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


def query(*pairs: tuple[str, object], **given: object) -> str:
    """A query string."""
    return "?" + urlencode([*pairs, *given.items()])


def metadata(key: str, value: str) -> tuple[str, str]:
    """The parameter that asks for a pair."""
    return f"metadata[{key}]", value


def found(api, url: str, params: str = "") -> list[str]:
    """The ids in the list."""
    return [item["id"] for item in ok(api.get(url + params))["data"]]


def ids_of(rows: Iterable[Run | Thread]) -> list[str]:
    """Their ids, the newest first."""
    return [row.id for row in sorted(rows, key=lambda row: -row.number)]


def make(url: str, project, **columns):
    """A row that is in the list."""
    thread = make_thread(project, **({} if url == RUNS else columns))
    return make_run(thread, **columns) if url == RUNS else thread


def test_all_runs_as_plain_runs(api, stranger):
    make_run(make_thread(stranger.project))
    threads = [make_thread(api.project) for _ in range(2)]
    runs = [make_run(thread, status) for thread in threads for status in ("completed", "queued")]
    page = ok(api.get(RUNS))
    assert [item["id"] for item in page["data"]] == ids_of(runs)
    for item in page["data"]:
        run = Run.objects.get(id=item["id"])
        assert item == ok(api.get(f"/v1/threads/{run.thread_id}/runs/{run.id}"))
    assert (page["object"], page["has_more"]) == ("list", False)


def test_all_threads_as_plain_threads(api, stranger):
    make_thread(stranger.project)
    threads = [make_thread(api.project, metadata={"n": str(n)}) for n in range(3)]
    page = ok(api.get(THREADS))
    assert [item["id"] for item in page["data"]] == ids_of(threads)
    for item in page["data"]:
        assert item == ok(api.get(f"/v1/threads/{item['id']}"))


@pytest.mark.parametrize("url", LISTS)
def test_an_empty_list(api, url):
    assert ok(api.get(url)) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize("url", LISTS)
def test_listing_costs_two_queries(api, url, django_assert_num_queries):
    api.get(url)  # writes when the key was last used: once a minute
    for _ in range(7):
        make(url, api.project, metadata={"a": "b"})
    params = query(metadata("a", "b"), created_after=1, limit=5)
    for given in ("", params):
        with django_assert_num_queries(2):  # the key, the page
            page = ok(api.get(url + given))
    with django_assert_num_queries(3):  # and the cursor
        ok(api.get(f"{url}{params}&after={page['last_id']}"))


def test_all_filters_of_runs_cost_two_queries(api, django_assert_num_queries):
    run = make_run(make_thread(api.project), metadata={"a": "b", "c": "d"})
    api.get(RUNS)
    params = query(
        metadata("a", "b"),
        metadata("c", "d"),
        status="queued,failed",
        assistant_id=run.assistant_id,
        thread_id=run.thread_id,
        model=run.model,
        created_after=1,
        created_before=AT * 2,
    )
    with django_assert_num_queries(2):
        assert found(api, RUNS, params) == [run.id]


# --- status ---


@pytest.fixture
def one_of_each(api) -> dict[str, Run]:
    """A run in each status."""
    return {status: make_run(make_thread(api.project), status) for status in RunStatus}


@pytest.mark.parametrize("status", RunStatus)
def test_status(api, one_of_each, status):
    assert found(api, RUNS, f"?status={status}") == [one_of_each[status].id]


@pytest.mark.parametrize(
    "params",
    [
        "?status=failed,expired",
        "?status=failed&status=expired",
        "?status[]=failed&status[]=expired",
        "?status%5B%5D=failed&status=expired",
        "?status=expired,failed,expired&status=",
    ],
)
def test_several_statuses(api, one_of_each, params):
    expected = [one_of_each["failed"], one_of_each["expired"]]
    assert found(api, RUNS, params) == ids_of(expected)


@pytest.mark.parametrize("bad", ["done", "failed,done", "failed,", "FAILED", " failed", "\0"])
@pytest.mark.parametrize("name", ["status", "status[]"])
def test_an_unknown_status(api, bad, name):
    error = error_of(api.get(RUNS + query((name, bad))), 400)
    value = bad.removeprefix("failed,")
    assert error == {
        "message": f"Invalid value: '{value}'. Supported values are: 'queued', 'in_progress', "
        "'requires_action', 'cancelling', 'cancelled', 'completed', 'incomplete', 'failed', "
        "and 'expired'.",
        "type": "invalid_request_error",
        "param": "status",
        "code": "invalid_value",
    }


# --- ids and model ---


def test_by_thread_assistant_and_model(api):
    assistants = [make_assistant(api.project) for _ in range(2)]
    threads = [make_thread(api.project) for _ in range(2)]
    runs = {
        (assistant.id, thread.id, model): make_run(thread, "completed", assistant, model=model)
        for assistant in assistants
        for thread in threads
        for model in ("openai/gpt-4o", "gpt-4o")
    }
    names = ("assistant_id", "thread_id", "model")
    for key, run in runs.items():
        given = dict(zip(names, key, strict=True))
        assert found(api, RUNS, query(**given)) == [run.id]
        for name, value in given.items():
            same = [other for at, other in runs.items() if value in at]
            assert found(api, RUNS, query(**{name: value})) == ids_of(same)
    for model in ("gpt", "GPT-4O", "gpt-4o ", "%", "gpt-4_"):
        assert found(api, RUNS, query(model=model)) == []


def test_runs_of_a_deleted_assistant(api):
    assistant = make_assistant(api.project)
    run = make_run(make_thread(api.project), "completed", assistant)
    ok(api.delete(f"/v1/assistants/{assistant.id}"))
    assert found(api, RUNS, query(assistant_id=assistant.id)) == [run.id]


@pytest.mark.parametrize(
    ("name", "prefix"), [("assistant_id", ids.ASSISTANT), ("thread_id", ids.THREAD)]
)
def test_an_id_that_no_object_has_finds_nothing(api, name, prefix):
    make_run(make_thread(api.project))
    for rest in ("_unknown", "_" + "x" * 300, "_\0", "_é", "_'"):
        assert found(api, RUNS, query((name, prefix + rest))) == []
    error = error_of(api.get(RUNS + query((name, "run_1"))), 400)
    assert error == {
        "message": f"Invalid '{name}': 'run_1'. Expected an ID that begins with '{prefix}'.",
        "type": "invalid_request_error",
        "param": name,
        "code": "invalid_value",
    }


@pytest.mark.parametrize(
    ("model", "code"), [("m" * 257, "string_above_max_length"), ("a\0", "invalid_value")]
)
def test_a_model_that_none_can_have(api, model, code):
    error = error_of(api.get(RUNS + query(model=model)), 400)
    assert (error["param"], error["code"]) == ("model", code)


# --- times ---


@pytest.mark.parametrize("url", LISTS)
def test_times_of_creation_are_whole_seconds_and_inclusive(api, url):
    rows = [
        make(url, api.project, created_at=datetime.fromtimestamp(AT + part, UTC))
        for part in (-0.5, 0, 0.5, 0.999999, 1)
    ]
    for params, part in (
        (query(created_after=AT), rows[1:]),
        (query(created_before=AT), rows[:4]),
        (query(created_after=AT, created_before=AT), rows[1:4]),
        (query(created_after=AT + 1), rows[4:]),
        (query(created_before=AT - 2), []),
        (query(created_after=AT, created_before=AT - 1), []),
        (query(created_after=0, created_before=253_402_214_400), rows),
        ("?created_after=&created_before=", rows),
    ):
        assert found(api, url, params) == ids_of(part), params
        for item in ok(api.get(url + params))["data"]:
            assert item["created_at"] in (AT - 1, AT, AT + 1)


@pytest.mark.parametrize("url", LISTS)
@pytest.mark.parametrize("name", ["created_after", "created_before"])
@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("x", "invalid_type", "expected an integer, but got a string"),
        ("1.5", "invalid_type", "expected an integer, but got a string"),
        ("2026-08-26T00:00:00Z", "invalid_type", "expected an integer, but got a string"),
        ("9" * 5000, "invalid_type", "expected an integer, but got a string"),
        ("-1", "integer_below_min_value", "Expected a value >= 0, but got -1 instead."),
        (f"{AT}000", "integer_above_max_value", "Expected a value <= 253402214400, but got"),
        ("9" * 18, "integer_above_max_value", "Expected a value <= 253402214400, but got"),
    ],
)
def test_times_that_are_none(api, url, name, value, code, words):
    error = error_of(api.get(url + query((name, value))), 400)
    assert (error["param"], error["code"]) == (name, code)
    assert words in error["message"]


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


# --- with the parameters of all lists ---


@pytest.mark.parametrize("url", LISTS)
def test_pages_of_what_matches(api, url):
    wanted = [
        row
        for n in range(14)
        if (row := make(url, api.project, metadata={"odd": str(n % 2)})).metadata["odd"] == "1"
    ]
    seen, after = [], ""
    for more in (True, True, True, False):
        params = query(metadata("odd", "1"), limit=2, order="asc", after=after)
        page = ok(api.get(url + params))
        seen += [item["id"] for item in page["data"]]
        after = page["last_id"]
        assert page["has_more"] == more
    assert seen == ids_of(wanted)[::-1]
    before = query(metadata("odd", "1"), limit=2, before=wanted[0].id)
    assert found(api, url, before) == ids_of(wanted[1:3])


def test_a_walk_goes_on_when_its_cursor_has_left_the_list(api):
    runs = [make_run(make_thread(api.project), "queued") for _ in range(4)]
    page = ok(api.get(RUNS + query(status="queued", limit=2)))
    assert page["last_id"] == runs[2].id
    ok(api.post(f"/v1/threads/{runs[2].thread_id}/runs/{runs[2].id}/cancel"))
    rest = query(status="queued", limit=2, after=page["last_id"])
    assert found(api, RUNS, rest) == ids_of(runs[:2])


@pytest.mark.parametrize("url", LISTS)
def test_parameters_that_say_nothing_are_ignored(api, url):
    rows = [make(url, api.project, metadata={"a": "b"}) for _ in range(2)]
    for params in (
        "?",
        "?status=&assistant_id=&thread_id=&model=&created_after=&created_before=",
        "?foo=1&metadatax=1&metadata.a=1&metadata__a=1&Metadata[a]=1&run_id=x&id=x&project=x",
        "?limit=x&limit=20&created_after=x&created_after=1",  # the last one counts
    ):
        assert found(api, url, params) == ids_of(rows), params


def test_threads_know_no_filters_of_runs(api):
    thread = make_thread(api.project)
    params = "?status=nonsense&assistant_id=x&thread_id=x&model=x"
    assert found(api, THREADS, params) == [thread.id]


def many_runs(project, count: int) -> tuple[str, str]:
    """Runs of all kinds, each on a thread of its own; ids of an assistant and a thread."""
    assistants = [make_assistant(project) for _ in range(20)]
    threads = Thread.objects.bulk_create(
        Thread(project=project, metadata={"a": str(n % 3)}) for n in range(count)
    )
    Run.objects.bulk_create(
        Run(
            project=project,
            thread=thread,
            assistant_id=assistants[n % 20].id,
            status="failed" if n % 20 == 0 else "completed",
            metadata=thread.metadata,
            expires_at=datetime.fromtimestamp(AT, UTC),
        )
        for n, thread in enumerate(threads)
    )
    return assistants[0].id, threads[0].id


def plan_of(api, path: str) -> str:
    """How the database finds the page that ``path`` asks for."""
    with CaptureQueriesContext(connection) as captured:
        ok(api.get(path))
    (sql,) = [query["sql"] for query in captured if " LIMIT 21" in query["sql"]]
    words = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{words} {sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def test_an_index_serves_each_list(api, stranger, subtests):
    """No table is read as a whole. Which index, and whether a few rows are sorted, depends on
    the rows on PostgreSQL, and not on SQLite."""
    sqlite = connection.vendor == "sqlite"
    assistant_id, thread_id = many_runs(api.project, 500)
    if not sqlite:
        many_runs(stranger.project, 2000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE runs_run, runs_thread")
    for path, index in (
        (RUNS, "run_of_project"),
        (f"{RUNS}?metadata[a]=1", "run_of_project"),
        (f"{RUNS}?status=failed", "run_of_status"),
        (f"{RUNS}?assistant_id={assistant_id}", "run_of_assistant"),
        (f"{RUNS}?thread_id={thread_id}", "run_of_thread"),
        (THREADS, "thread_of_project"),
        (f"{THREADS}?metadata[a]=1", "thread_of_project"),
    ):
        with subtests.test(path):
            plan = plan_of(api, path)
            assert f" INDEX {index} " in plan if sqlite else "Index Scan" in plan
            assert not re.search(r"Seq Scan|TEMP B-TREE", plan)
