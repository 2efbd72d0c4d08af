"""Filters of the lists of a whole project: by status, by ids and model, by times of creation."""

from datetime import UTC, datetime

import pytest

from runs.contract import ids
from runs.contract.status import RunStatus
from runs.models import Run
from tests.api.client import error_of, ok
from tests.api.listing import AT, LISTS, RUNS, found, ids_of, make, query
from tests.factories import make_assistant, make_run, make_thread

pytestmark = pytest.mark.slow


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
