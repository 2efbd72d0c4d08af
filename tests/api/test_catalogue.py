"""Every operation in every situation that goes wrong: the exact answer, and nothing stored.

The situations are in ``situations``, what can be wrong with bodies and queries in
``catalogue``, the texts in ``refusals``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from runs.contract import errors
from runs.contract.errors import ApiError, BadRequest
from runs.contract.status import ACTIVE, TERMINAL, RunStatus
from tests.api.catalogue import (
    BODIES,
    OUT_OF_RANGE,
    REQUIRED,
    WRONG_TYPES,
)
from tests.api.client import Api, error_of
from tests.api.refusals import (
    NO_BETA,
    NO_KEY,
    Refusal,
    bad,
    not_found,
    unknown,
)
from tests.api.routes import OPERATIONS, POSTS, make_world, unknown_world
from tests.api.situations import NOBODY, UNKNOWN_KEY, Attempt, attempts
from tests.api.test_document import raised_codes
from tests.factories import make_key, make_message

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Conflict:
    """A call that the state of a run forbids. ``message`` names ids as routes do."""

    kind: type[ApiError]
    operation: str
    statuses: frozenset[RunStatus]
    message: str
    body: dict[str, Any] | None = None


WAITING = frozenset({RunStatus.REQUIRES_ACTION})
SUBMIT = "POST threads/thread_id/runs/run_id/submit_tool_outputs"
CANCEL = "POST threads/thread_id/runs/run_id/cancel"
CONFLICTS = [
    Conflict(
        errors.ThreadBusy,
        "POST threads/thread_id/runs",
        ACTIVE,
        "Thread {thread_id} already has an active run {run_id}.",
    ),
    Conflict(
        errors.ThreadLocked,
        "POST threads/thread_id/messages",
        ACTIVE,
        "Can't add messages to {thread_id} while a run {run_id} is active.",
    ),
    Conflict(
        errors.NotCancellable,
        CANCEL,
        TERMINAL | {RunStatus.CANCELLING},
        "Cannot cancel run with status '{status}'.",
    ),
    Conflict(
        errors.NoOutputsWanted,
        SUBMIT,
        frozenset(RunStatus) - WAITING,
        'Runs in status "{status}" do not accept tool outputs.',
    ),
    *(
        Conflict(
            errors.WrongOutputs,
            SUBMIT,
            WAITING,
            f"Expected tool outputs for call_ids ['call_1'], got {got}",
            {"tool_outputs": [{"tool_call_id": call, "output": "x"} for call in got]},
        )
        for got in ([], ["call_2"], ["call_1", "call_2"], ["call_1", "call_1"])
    ),
]


# --- the tests ---


def stored() -> dict[str, list[Any]]:
    """Every row there is, but for keys: these note their last use."""
    return {
        model.__name__: list(model.objects.order_by("pk").values())
        for model in apps.get_app_config("runs").get_models()
        if model.__name__ != "ApiKey"
    }


def expect(api: Api, attempt: Attempt) -> None:
    """The answer is the refusal, to the letter, as plain JSON."""
    answer = api.call(attempt.method, attempt.path, attempt.body, **attempt.headers)
    refusal = attempt.refusal
    assert answer["x-request-id"].startswith("req_")
    assert answer.get("Allow") == attempt.allow
    assert answer.get("WWW-Authenticate") == ("Bearer" if refusal.status == 401 else None)
    if attempt.method == "HEAD":
        assert answer.status_code == refusal.status
    else:
        assert error_of(answer, refusal.status) == refusal.error


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_situation(api, stranger, operation, subtests):
    mine, theirs = make_world(api.project, operation.run_status), make_world(stranger.project)
    revoked = make_key(api.project, revoked_at=timezone.now())[1]
    before = stored()
    for attempt in attempts(operation, mine, theirs, revoked):
        with subtests.test(str(attempt)):
            expect(api, attempt)
    assert stored() == before
    answer = api.call(operation.method, operation.path(mine), operation.filled(mine))
    assert answer.status_code == 200
    assert answer["openai-version"] == "2020-10-01"
    assert int(answer["openai-processing-ms"]) >= 0
    assert "Allow" not in answer
    if operation.method == "DELETE":
        name = re.findall(r"<str:(\w+)>", operation.route)[-1]
        refusal = not_found(name, mine[name])
        expect(api, Attempt("done already", refusal, "DELETE", operation.path(mine)))


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.message)
def test_what_the_state_of_a_run_forbids(api, conflict, subtests):
    for status in sorted(conflict.statuses):
        with subtests.test(str(status)):
            forbidden(api, conflict, status)


def forbidden(api: Api, conflict: Conflict, status: RunStatus) -> None:
    """A run of this status is in the way; what is wrong with the call itself is found first."""
    (operation,) = [one for one in OPERATIONS if str(one) == conflict.operation]
    mine = make_world(api.project, status)
    before = stored()
    body = conflict.body or operation.filled(mine) or {}
    fields = BODIES[conflict.operation]().fields
    refusal = Refusal(conflict.kind, 400, conflict.message.format(**mine, status=status))
    calls = [("conflict", refusal, body), ("unknown", bad(unknown("foo")), body | {"foo": 1})]
    if "stream" in fields:
        calls.append(("streamed", refusal, body | {"stream": True}))
    if "assistant_id" in fields:
        nobody = NOBODY["assistant_id"]
        missing = not_found("assistant_id", nobody)
        calls.append(("assistant", missing, {"assistant_id": nobody}))
    for situation, found, given in calls:
        expect(api, Attempt(situation, found, "POST", operation.path(mine), given))
    assert stored() == before


LINE_FULL = "Thread {thread_id} already has 16 runs in line behind run {run_id}."


def test_a_line_without_room(api):
    mine = make_world(api.project, RunStatus.IN_PROGRESS)
    path = f"/v1/threads/{mine['thread_id']}/runs"
    body = {"assistant_id": mine["assistant_id"], "on_active_run": "queue"}
    for _ in range(16):
        assert api.post(path, body).status_code == 200
    before = stored()
    refusal = Refusal(errors.LineFull, 400, LINE_FULL.format(**mine))
    for stream in (False, True):
        expect(api, Attempt("full", refusal, "POST", path, body | {"stream": stream}))
    assert stored() == before


def test_the_header_that_can_be_demanded(api, settings, subtests):
    settings.RUNSITE_STRICT_BETA = True
    for operation in OPERATIONS:
        mine = make_world(api.project, operation.run_status)
        method, path, body = operation.method, operation.path(mine), operation.filled(mine)
        before = stored()
        with subtests.test(str(operation)):
            for value in ("", "assistants=v1"):
                headers = {"OpenAI_Beta": value}
                for given in (body, b"{"):
                    expect(api, Attempt("beta", NO_BETA, method, path, given, headers))
                # Without a key, that is what is missing.
                headers |= {"Authorization": ""}
                expect(api, Attempt("no key", NO_KEY, method, path, body, headers))
            assert stored() == before
            assert api.call(method, path, body).status_code == 200


def test_no_such_url(api, subtests):
    before = stored()
    for path in ("/v1/", "/v1/foo", "/v1/threads/", "/threads/a/b", "/v1/runs/a"):
        for method in ("GET", "POST", "DELETE"):
            with subtests.test(f"{method} {path}"):
                expect(api, Attempt("url", unknown_url(method, path), method, path))
    assert stored() == before


def unknown_url(method: str, path: str) -> Refusal:
    """No such route."""
    return Refusal(errors.UnknownUrl, 404, f"Invalid URL ({method} {path})")


def test_no_such_place_in_a_stream(api, subtests):
    mine = make_world(api.project)
    path = f"/v1/threads/{mine['thread_id']}/runs/{mine['run_id']}/stream"
    for given in ("x", "-1", "1.5", "²", "1" * 1000):
        with subtests.test(given[:100]):
            text = f"Invalid 'after': '{given[:100]}'. Expected the number of an event."
            refusal = bad(("invalid_value", "after", text))
            expect(api, Attempt("query", refusal, "GET", f"{path}?after={given}"))
            if given.isascii():
                headers = {"Last_Event_ID": given}
                expect(api, Attempt("header", refusal, "GET", path, None, headers))


def test_bodies_that_nobody_asked_for_are_not_read(api):
    mine = make_world(api.project)
    for operation in OPERATIONS:
        if operation.method == "GET":
            assert api.call("GET", operation.path(mine), b"{").status_code == 200, str(operation)
    message = make_message(api.project.threads.get())
    path = f"/v1/threads/{mine['thread_id']}/messages/{message.id}"
    assert api.call("DELETE", path, b"{").status_code == 200


# --- completeness ---

IN_USE = "tests/services/test_idempotency.py::test_a_call_that_is_still_under_way_is_a_conflict"
TOO_MANY = "tests/api/test_stream_bounds.py::test_one_more_stream_of_a_key_is_refused"
#: Errors and codes that other modules produce, and where.
ELSEWHERE: dict[type[ApiError] | str, str] = {
    errors.KeyReuse: "tests/api/test_idempotency.py::test_another_body_is_refused",
    "idempotency_key_reuse": "tests/api/test_idempotency.py::test_another_body_is_refused",
    errors.KeyInUse: IN_USE,
    "idempotency_key_in_use": IN_USE,
    "host_not_allowed": "tests/ops/test_middleware.py::test_a_foreign_host_is_refused_everywhere",
    errors.TooManyStreams: TOO_MANY,
    "rate_limit_exceeded": TOO_MANY,
    errors.Internal: "tests/api/test_errors.py::test_a_defect_is_500_in_the_api_s_shape",
    errors.Busy: "tests/api/test_errors.py::test_a_busy_database_is_503",
    "server_busy": "tests/api/test_errors.py::test_a_busy_database_is_503",
}
ROOT = Path(__file__).resolve().parent.parent.parent


def produced() -> set[type[ApiError] | str]:
    """The classes and codes of all that the tables above expect, and the tests see."""
    refusals = [
        attempt.refusal
        for operation in OPERATIONS
        for attempt in attempts(operation, NOBODY, unknown_world(), UNKNOWN_KEY)
    ]
    refusals += [NO_BETA, unknown_url("GET", "/")]
    kinds: set[type[ApiError] | str] = {refusal.kind for refusal in refusals}
    kinds |= {conflict.kind for conflict in CONFLICTS} | {errors.LineFull}
    return kinds | {refusal.code for refusal in refusals if refusal.code}


def test_every_error_and_every_code_is_produced():
    """A new one needs a row here, or its test's name in ``ELSEWHERE``."""
    every: set[type[ApiError] | str] = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ApiError) and kind is not ApiError
    }
    every |= raised_codes()
    assert every - produced() == set(ELSEWHERE)
    for place in ELSEWHERE.values():
        path, _, test = place.partition("::")
        assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), place


def test_the_tables_know_every_operation_and_its_fields():
    assert set(BODIES) == {str(operation) for operation in POSTS}
    fields = {name for body in BODIES.values() for name in body().fields}
    assert fields == set(WRONG_TYPES) == set(OUT_OF_RANGE)
    for name, body in BODIES.items():
        required = {key for key, value in body().fields.items() if value.required}
        assert required == set(REQUIRED.get(name, ())), name
    assert {BadRequest} < produced()
