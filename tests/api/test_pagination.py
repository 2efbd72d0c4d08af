"""Pages of every list: both orders, both cursors, the limits of ``limit``."""

import itertools

import pytest

from tests.api.client import error_of, ok
from tests.factories import make_assistant, make_message, make_run, make_step, make_thread

pytestmark = pytest.mark.slow

KINDS = {
    "assistants": "assistant",
    "threads": "thread",
    "messages": "message",
    "runs": "run",
    "all runs": "run",
    "steps": "run step",
}
COUNT = 7


@pytest.fixture(params=KINDS)
def listed(request, api):
    """(URL, kind, ids from oldest to newest) of a list of seven."""
    thread = make_thread(api.project)
    if request.param == "assistants":
        rows = [make_assistant(api.project) for _ in range(COUNT)]
        url = "/v1/assistants"
    elif request.param == "threads":
        rows = [thread, *(make_thread(api.project) for _ in range(COUNT - 1))]
        url = "/v1/threads"
    elif request.param == "all runs":
        rows = [make_run(make_thread(api.project)) for _ in range(COUNT)]
        url = "/v1/runs"
    elif request.param == "messages":
        rows = [make_message(thread) for _ in range(COUNT)]
        url = f"/v1/threads/{thread.id}/messages"
    elif request.param == "runs":
        rows = [make_run(thread, "completed") for _ in range(COUNT)]
        url = f"/v1/threads/{thread.id}/runs"
    else:
        run = make_run(thread, "completed")
        rows = [make_step(run, "tool_calls") for _ in range(COUNT)]
        url = f"/v1/threads/{thread.id}/runs/{run.id}/steps"
    return url, KINDS[request.param], [row.id for row in rows]


def expected(ids, limit=20, order="desc", after=None, before=None):
    """The page by its definition: a slice of the whole list in the requested order."""
    whole = ids if order == "asc" else ids[::-1]
    start = whole.index(after) + 1 if after else 0
    end = whole.index(before) if before else len(whole)
    part = whole[start:end]
    if before and not after:
        return part[-limit:], len(part) > limit
    return part[:limit], len(part) > limit


def test_every_page(api, listed):
    url, _, ids = listed
    cursors = [None, ids[0], ids[3], ids[-1]]
    for limit, order, after, before in itertools.product(
        (1, 3, 6, 7, 100), ("asc", "desc"), cursors, cursors
    ):
        given = {"limit": limit, "order": order, "after": after, "before": before}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        page = ok(api.get(f"{url}?{query}"))
        data, more = expected(ids, **given)
        assert [item["id"] for item in page["data"]] == data, query
        assert page == {
            "object": "list",
            "data": page["data"],
            "first_id": data[0] if data else None,
            "last_id": data[-1] if data else None,
            "has_more": more,
        }


def test_the_defaults(api, listed):
    url, _, ids = listed
    for query in ("", "?limit=&order=&after=&before=", "?limit=20&order=desc"):
        page = ok(api.get(url + query))
        assert [item["id"] for item in page["data"]] == ids[::-1]


def test_a_page_has_twenty_if_nothing_else_is_asked_for(api):
    rows = [make_assistant(api.project) for _ in range(21)]
    page = ok(api.get("/v1/assistants"))
    assert [item["id"] for item in page["data"]] == [row.id for row in rows[:0:-1]]
    assert page["has_more"] is True


def test_walking_as_the_sdks_do(api, listed):
    url, _, ids = listed
    seen, after = [], ""
    for _ in range(COUNT):
        page = ok(api.get(f"{url}?limit=2&order=asc&after={after}"))
        seen += [item["id"] for item in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == ids


@pytest.mark.parametrize(
    ("limit", "code", "words"),
    [
        ("101", "integer_above_max_value", "Expected a value <= 100, but got 101 instead."),
        ("0", "integer_below_min_value", "Expected a value >= 1, but got 0 instead."),
        ("-1", "integer_below_min_value", "Expected a value >= 1, but got -1 instead."),
        ("x", "invalid_type", "expected an integer, but got a string"),
        ("1.5", "invalid_type", "expected an integer, but got a string"),
        ("--1", "invalid_type", "expected an integer, but got a string"),
        ("٣", "invalid_type", "expected an integer, but got a string"),
        ("9" * 5000, "invalid_type", "expected an integer, but got a string"),
    ],
)
def test_limits_of_limit(api, limit, code, words):
    error = error_of(api.get(f"/v1/assistants?limit={limit}"), 400)
    assert (error["code"], error["param"]) == (code, "limit")
    assert words in error["message"]


def test_an_unknown_order(api):
    error = error_of(api.get("/v1/assistants?order=up"), 400)
    assert (error["code"], error["param"]) == ("invalid_value", "order")
    assert error["message"] == "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."


@pytest.mark.parametrize("name", ["after", "before"])
def test_unknown_cursors(api, listed, name):
    url, kind, _ = listed
    for cursor in ("x", "%00", "x" * 100, "msg_unknown"):
        error = error_of(api.get(f"{url}?{name}={cursor}"), 404)
        assert error["message"].startswith(f"No {kind} found with id '")


def test_a_cursor_counts_in_its_own_list_only(api):
    here, there = (make_thread(api.project) for _ in range(2))
    message = make_message(there)
    make_message(here)
    error_of(api.get(f"/v1/threads/{here.id}/messages?after={message.id}"), 404)
    run = make_run(here, "completed")
    other = make_message(here, run=run)
    url = f"/v1/threads/{here.id}/messages"
    ok(api.get(f"{url}?run_id={run.id}&after={other.id}"))
    first = here.messages.order_by("number").first()
    error_of(api.get(f"{url}?run_id={run.id}&after={first.id}"), 404)
