"""What is not the caller's fault, and what never reaches a view."""

import asyncio
import json
import logging

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection
from django.http import Http404, HttpRequest, UnreadablePostError
from rest_framework.exceptions import PermissionDenied

from runs.api.errors import translate
from runs.contract.errors import ThreadBusy
from runs.events.log import StaleRun
from runs.models import Run
from runs.models.database import TROUBLE, close_threads, in_database
from runsite.errors import server_error
from tests.api.client import check_busy, error_of
from tests.factories import make_assistant, make_run, make_thread

SORRY = "The server had an error while processing your request. Sorry about that!"


@pytest.mark.parametrize(
    ("error", "status", "type_", "level"),
    [
        (ThreadBusy("t", "r"), 400, "invalid_request_error", None),
        (RequestDataTooBig(), 413, "invalid_request_error", None),
        (SuspiciousOperation(), 400, "invalid_request_error", None),
        (UnreadablePostError(), 400, "invalid_request_error", None),
        (Http404(), 404, "invalid_request_error", None),
        (PermissionDenied("No."), 400, "invalid_request_error", None),
        (OperationalError("database is locked"), 503, "server_error", logging.WARNING),
        (InterfaceError("closed"), 503, "server_error", logging.WARNING),
        (InternalError("in a read-only transaction"), 503, "server_error", logging.WARNING),
        (StaleRun("run_1"), 503, "server_error", logging.WARNING),
        (IntegrityError("x"), 500, "server_error", logging.ERROR),
        (KeyError("secret"), 500, "server_error", logging.ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_translation(error, status, type_, level, caplog):
    request = HttpRequest()
    request.method, request.path = "GET", "/v1/x"
    answer = translate(error, request)
    assert (answer.status, answer.type) == (status, type_)
    assert [record.levelno for record in caplog.records] == ([level] if level else [])
    if status == 503:
        assert answer.headers["retry-after"] == "1"
    if status == 500:
        assert answer.message == SORRY
        assert caplog.records[0].exc_info


def test_a_query_that_cannot_be_read(api):
    """Of more parameters than Django takes."""
    assert error_of(api.get("/v1/runs?" + "a=1&" * 1001), 400) == {
        "message": "The request could not be read.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


@pytest.fixture
def broken(api):
    """A run whose row no code can read, as after a defect or in a damaged file."""
    thread = make_thread(api.project)
    run = make_run(thread, "completed")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs_run SET started_at = '2026-99-99 00:00:00'")
    return f"/v1/threads/{thread.id}/runs", run.id


@pytest.mark.sqlite  # PostgreSQL stores no such row
@pytest.mark.parametrize("path", ["{0}", "{0}/{1}", "{0}/{1}/cancel", "{0}/{1}/stream"])
def test_a_defect_is_500_in_the_api_s_shape(api, broken, path, caplog):
    url = path.format(*broken)
    answer = api.post(url) if url.endswith("cancel") else api.get(url)
    assert error_of(answer, 500) == {
        "message": SORRY,
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert answer["x-should-retry"] == "false"
    assert answer["x-request-id"].startswith("req_")
    (record,) = [record for record in caplog.records if record.name == "runs.api.errors"]
    assert record.message == "A request failed"
    assert "ValueError" in caplog.text


def test_a_defect_outside_of_all_views_is_told_alike(rf):
    """Django's own handler of what nobody caught."""
    answer = server_error(rf.post("/v1/threads"))
    assert answer.status_code == 500
    assert json.loads(answer.content)["error"]["message"] == SORRY
    assert answer["x-should-retry"] == "false"


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_database_in_trouble_before_all_views_is_503(rf, trouble):
    """As Django's handler is called: while what nobody caught is on its way."""
    try:
        raise trouble
    except trouble:
        answer = server_error(rf.post("/v1/threads"))
    assert answer.status_code == 503
    assert answer["retry-after"] == "1"


@pytest.mark.sqlite  # which has one writer
async def test_a_busy_database_is_503(api, settings):
    """Another process holds the write lock for longer than we wait."""
    thread = await in_database(make_thread, api.project)
    assistant = await in_database(make_assistant, api.project)
    path = f"/v1/threads/{thread.id}/runs"
    await api.acall("GET", path)  # the key's last use is written

    other = connection.copy()
    other.inc_thread_sharing()
    try:
        close_threads()
        settings.DATABASES["default"]["OPTIONS"]["timeout"] = 0.05
        await in_database(lambda: hold(other))
        answer = await api.acall("POST", path, {"assistant_id": assistant.id})
        check_busy(answer)
        assert (await api.acall("GET", path)).status_code == 200  # readers are not stopped
    finally:
        await in_database(other.close)
        settings.DATABASES["default"]["OPTIONS"]["timeout"] = 5
        close_threads()
    assert (await api.acall("POST", path, {"assistant_id": assistant.id})).status_code == 200
    assert await in_database(Run.objects.count) == 1


@pytest.mark.sqlite  # which has one writer
async def test_calls_that_wait_to_write_keep_no_reader_waiting(api):
    run = await in_database(make_run, await in_database(make_thread, api.project))
    body = {"assistant_id": (await in_database(make_assistant, api.project)).id}
    path = f"/v1/threads/{run.thread_id}/runs/{run.id}"
    await api.acall("GET", path)  # the key's last use is written

    other = connection.copy()
    other.inc_thread_sharing()
    try:
        await in_database(hold, other)
        waiting = [asyncio.create_task(api.acall("POST", "/v1/threads/runs", body)) for _ in "1234"]
        await asyncio.sleep(0.5)
        answer = await asyncio.wait_for(api.acall("GET", path), 2)
        assert answer.status_code == 200
        assert not any(call.done() for call in waiting)
    finally:
        await in_database(other.close)
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 4
    close_threads()


def hold(other):
    """Take the write lock."""
    with other.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
