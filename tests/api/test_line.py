"""Runs in line, and clocks of their own, as a client of the API has them."""

import asyncio

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.contract import limits
from runs.contract.status import ACTIVE, RunStatus
from runs.models import Message, Run
from runs.models.database import in_database
from runs.wire.objects import run_object
from tests.api.client import error_of, ok
from tests.api.executing import MODEL, executing
from tests.api.sse import Stream, names, readers_are
from tests.factories import make_assistant, make_message, make_run, make_thread

pytestmark = pytest.mark.slow

MONTH = 2_592_000
CREATED = ["run.created", "run.queued"]


@pytest.fixture
def thread(api):
    """A thread of the caller, with a question."""
    thread = make_thread(api.project)
    make_message(thread, "How is the weather?")
    return thread


@pytest.fixture
def url(thread):
    """Where its runs are."""
    return f"/v1/threads/{thread.id}/runs"


@pytest.fixture
def assistant(api):
    """An assistant that the demo model answers for."""
    return make_assistant(api.project, model=MODEL)


@pytest.fixture
def body(assistant):
    """A body that creates a run."""
    return lambda policy="queue", **fields: (
        {"assistant_id": assistant.id, "on_active_run": policy} | fields
    )


# --- on_active_run ---


@pytest.mark.parametrize("policy", ["reject", None])
def test_refused(api, thread, url, body, policy):
    busy = make_run(thread)
    error = error_of(api.post(url, body(policy)), 400)
    assert error["message"] == f"Thread {thread.id} already has an active run {busy.id}."
    assert (error["code"], error["param"]) == (None, None)


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_in_line(api, thread, url, body, status):
    make_run(thread, status)
    run = ok(api.post(url, body(additional_messages=[{"role": "user", "content": "Later"}])))
    row = Run.objects.get(id=run["id"])
    assert row.in_line
    assert run == run_object(row)
    assert set(run) == set(run_object(make_run(make_thread(api.project))))  # no field of our own
    assert run["status"] == "queued"
    assert ok(api.get(f"{url}/{run['id']}")) == run
    assert ok(api.get(url))["data"][0] == run
    said = ok(api.get(f"/v1/threads/{thread.id}/messages"))["data"]
    assert "Later" not in str(said)


def test_a_full_line(api, thread, url, body):
    busy = make_run(thread, RunStatus.IN_PROGRESS)
    for _ in range(16):
        ok(api.post(url, body()))
    for stream in (False, True):
        error = error_of(api.post(url, body(stream=stream)), 400)
        assert error["message"] == (
            f"Thread {thread.id} already has 16 runs in line behind run {busy.id}."
        )
    assert Run.objects.count() == 17


def test_cancelling_others(api, thread, url, body):
    busy = make_run(thread, RunStatus.REQUIRES_ACTION)
    waiting = ok(api.post(url, body()))
    run = ok(api.post(url, body("cancel")))
    assert run["status"] == "queued"
    for other in (busy.id, waiting["id"]):
        assert ok(api.get(f"{url}/{other}"))["status"] == "cancelled"
    assert not Run.objects.get(id=run["id"]).in_line


def test_cancelling_one_at_work(api, thread, url, body):
    busy = make_run(thread, RunStatus.IN_PROGRESS)
    run = ok(api.post(url, body("cancel")))
    assert ok(api.get(f"{url}/{busy.id}"))["status"] == "cancelling"
    assert run["status"] == "queued"
    assert Run.objects.get(id=run["id"]).in_line


def test_what_a_run_keeps_in_line_is_not_read_with_it(api, thread, url, body):
    """It may be megabytes, in each of the hundred runs of a page and at each poll."""
    make_run(thread)
    messages = [{"role": "user", "content": "Later"}]
    run = ok(api.post(url, body(additional_messages=messages)))
    for path in (url, "/v1/runs", f"{url}/{run['id']}"):
        with CaptureQueriesContext(connection) as asked:
            assert "Later" not in str(ok(api.get(path)))
        assert not [query for query in asked if "line_messages" in query["sql"]]


def test_messages_are_refused_while_a_run_is_active_or_waits(api, thread, url, body):
    busy = make_run(thread)
    ok(api.post(url, body()))
    error = error_of(
        api.post(f"/v1/threads/{thread.id}/messages", {"role": "user", "content": "x"}), 400
    )
    assert error["message"] == f"Can't add messages to {thread.id} while a run {busy.id} is active."


def test_cancel_in_line(api, thread, url, body):
    make_run(thread, RunStatus.IN_PROGRESS)
    run = ok(api.post(url, body()))
    ended = ok(api.post(f"{url}/{run['id']}/cancel"))
    assert (ended["status"], ended["started_at"], ended["expires_at"]) == ("cancelled", None, None)
    error = error_of(api.post(f"{url}/{run['id']}/cancel"), 400)
    assert error["message"] == "Cannot cancel run with status 'cancelled'."


def test_outputs_of_a_run_in_line(api, thread, url, body):
    make_run(thread, RunStatus.IN_PROGRESS)
    run = ok(api.post(url, body()))
    error = error_of(api.post(f"{url}/{run['id']}/submit_tool_outputs", {"tool_outputs": []}), 400)
    assert error["message"] == 'Runs in status "queued" do not accept tool outputs.'


def test_the_line_of_another_project_is_not_there(api, stranger, url, thread):
    make_run(thread)
    other = make_assistant(stranger.project)
    error_of(stranger.post(url, {"assistant_id": other.id, "on_active_run": "queue"}), 404)
    assert Run.objects.count() == 1


WRONG = {
    "another word": (
        {"on_active_run": "wait"},
        "invalid_value",
        "Invalid value: 'wait'. Supported values are: 'reject', 'queue', and 'cancel'.",
    ),
    "no word": (
        {"on_active_run": True},
        "invalid_type",
        "Invalid type for 'on_active_run': expected a string, but got a boolean instead.",
    ),
    "no time": (
        {"expires_in": 0},
        "integer_below_min_value",
        "Invalid 'expires_in': integer below minimum value. Expected a value >= 1, but got 0 "
        "instead.",
    ),
    "too much time": (
        {"expires_in": MONTH + 1},
        "integer_above_max_value",
        "Invalid 'expires_in': integer above maximum value. Expected a value <= 2592000, but got "
        "2592001 instead.",
    ),
    "half a second": (
        {"action_expires_in": 0.5},
        "invalid_type",
        "Invalid type for 'action_expires_in': expected an integer, but got a decimal number "
        "instead.",
    ),
    "a negative time": (
        {"action_expires_in": -1},
        "integer_below_min_value",
        "Invalid 'action_expires_in': integer below minimum value. Expected a value >= 1, but got "
        "-1 instead.",
    ),
}


@pytest.mark.parametrize(("fields", "code", "message"), WRONG.values(), ids=WRONG)
def test_wrong_values(api, url, assistant, fields, code, message):
    error = error_of(api.post(url, {"assistant_id": assistant.id} | fields), 400)
    assert error == {
        "message": message,
        "type": "invalid_request_error",
        "param": next(iter(fields)),
        "code": code,
    }
    assert not Run.objects.exists()


def test_a_new_thread_is_never_busy(api, assistant):
    body = {"assistant_id": assistant.id, "on_active_run": "queue"}
    error = error_of(api.post("/v1/threads/runs", body), 400)
    assert (error["code"], error["param"]) == ("unknown_parameter", "on_active_run")


# --- clocks ---


@pytest.mark.parametrize("path", ["threads/{}/runs", "threads/runs"])
@pytest.mark.parametrize(("given", "seconds"), [(1, 1), (MONTH, MONTH), (None, 600)])
def test_a_run_expires_when_it_asked_to(api, thread, assistant, path, given, seconds):
    body = {"assistant_id": assistant.id, "expires_in": given, "action_expires_in": given}
    run = ok(api.post(f"/v1/{path.format(thread.id)}", body))
    assert run["expires_at"] == run["created_at"] + seconds
    assert Run.objects.get().action_lifetime == given


# --- at work ---


async def test_readers_of_a_run_in_line(api, thread, url, body):
    """They are told of its beginning, and of all the rest once its turn has come."""
    busy = await in_database(make_run, thread, RunStatus.REQUIRES_ACTION)
    waiting = Stream.of(await api.acall("POST", url, body(stream=True)))
    found = await waiting.until("run.queued")
    assert names(found) == CREATED
    run = await in_database(Run.objects.get, in_line=True)
    attached = Stream.of(await api.acall("GET", f"{url}/{run.id}/stream"))
    assert names(await attached.until("run.queued")) == CREATED
    await readers_are(2)
    async with executing():
        await api.acall("POST", f"{url}/{busy.id}/cancel")
        rest = await waiting.rest()
        assert names(rest)[0] == "run.in_progress"
        assert names(rest)[-2:] == ["run.completed", "done"]
        assert await attached.rest() == rest
    assert (await in_database(Run.objects.get, id=run.id)).status == "completed"


async def test_a_held_poll_of_a_run_in_line(api, thread, url, body, monkeypatch):
    monkeypatch.setattr(limits, "POLL_HOLD_SECONDS", 20.0)
    busy = await in_database(make_run, thread, RunStatus.REQUIRES_ACTION)
    run = ok(await api.acall("POST", url, body()))
    async with executing():
        poll = api.acall("GET", f"{url}/{run['id']}", X_Stainless_Poll_Helper="true")
        polling = asyncio.create_task(poll)
        await readers_are(1)
        await api.acall("POST", f"{url}/{busy.id}/cancel")
        answer = await polling
    assert ok(answer)["status"] == "completed"
    assert answer["openai-poll-after-ms"] == "20"


async def test_three_callers_at_once_are_answered_in_turn(api, thread, url, body):
    """As three users of one conversation: each gets an answer, to its own question."""
    questions = [
        {"additional_messages": [{"role": "user", "content": f"#long 3 question {n}"}]}
        for n in range(3)
    ]
    async with executing():
        calls = (api.acall("POST", url, body(stream=True, **question)) for question in questions)
        answers = await asyncio.gather(*calls)
        told = await asyncio.gather(*(Stream.of(answer).rest() for answer in answers))
    for frames in told:
        assert names(frames)[:2] == CREATED
        assert names(frames)[-2:] == ["run.completed", "done"]

    def roles():
        found = Message.objects.filter(thread=thread).order_by("number")
        return [message.role for message in found]

    assert await in_database(roles) == ["user"] + ["user", "assistant"] * 3


async def test_a_run_that_cancels_the_one_that_is_answering(api, thread, url, assistant, body):
    await in_database(make_message, thread, "#hang")
    async with executing():
        first = Stream.of(await api.acall("POST", url, body(stream=True)))
        await first.until("run.in_progress")
        second = Stream.of(
            await api.acall(
                "POST",
                url,
                body(
                    "cancel",
                    stream=True,
                    additional_messages=[{"role": "user", "content": "Never mind"}],
                ),
            )
        )
        assert names(await first.rest())[-3:] == ["run.cancelling", "run.cancelled", "done"]
        assert names(await second.rest())[-2:] == ["run.completed", "done"]
