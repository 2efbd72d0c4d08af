"""The lists of a whole project, runs and threads: what is in them, in pages, and what they cost."""

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.models import Run, Thread
from tests.api.client import ok
from tests.api.listing import AT, LISTS, RUNS, THREADS, found, ids_of, make, metadata, query
from tests.factories import make_assistant, make_run, make_thread

pytestmark = pytest.mark.slow


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
