"""Errors: one envelope, the recorded words, sane numbers."""

import pytest

from runs.contract import errors, limits

EVERY = {
    "thread busy": (
        errors.ThreadBusy("thread_a", "run_b"),
        400,
        "Thread thread_a already has an active run run_b.",
    ),
    "line full": (
        errors.LineFull("thread_a", "run_b", 16),
        400,
        "Thread thread_a already has 16 runs in line behind run run_b.",
    ),
    "thread locked": (
        errors.ThreadLocked("thread_a", "run_b"),
        400,
        "Can't add messages to thread_a while a run run_b is active.",
    ),
    "no outputs wanted": (
        errors.NoOutputsWanted("queued"),
        400,
        'Runs in status "queued" do not accept tool outputs.',
    ),
    "wrong outputs": (
        errors.WrongOutputs(["call_a"], ["call_b"]),
        400,
        "Expected tool outputs for call_ids ['call_a'], got ['call_b']",
    ),
    "not cancellable": (
        errors.NotCancellable("completed"),
        400,
        "Cannot cancel run with status 'completed'.",
    ),
    "not found": (errors.NotFound("run", "run_a"), 404, "No run found with id 'run_a'."),
    "url": (errors.UnknownUrl("GET", "/v1/x"), 404, "Invalid URL (GET /v1/x)"),
}


@pytest.mark.parametrize(("error", "status", "message"), EVERY.values(), ids=EVERY)
def test_the_recorded_words(error, status, message):
    assert error.status == status
    assert error.body() == {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


#: Errors that a repeated call may not meet again, and when to repeat it.
PASSING = {
    errors.Busy: {"retry-after": "1"},
    errors.KeyInUse: {"retry-after-ms": "500"},
    errors.TooManyStreams: {"retry-after": "1", "retry-after-ms": "1000"},
}


def repeated_by_sdks(status: int) -> bool:
    """What openai-python and openai-node repeat, two times, unless a header says otherwise."""
    return status in (408, 409, 429) or status >= 500


def test_the_sdks_repeat_what_may_pass_and_nothing_else():
    kinds = [kind for kind in errors.ApiError.__subclasses__() if repeated_by_sdks(kind.status)]
    assert set(kinds) == {*PASSING, errors.Internal}
    for kind in kinds:
        assert kind().headers == PASSING.get(kind, {"x-should-retry": "false"})


def test_the_only_conflict_is_a_call_that_is_still_under_way():
    conflicts = [kind for kind in errors.ApiError.__subclasses__() if kind.status == 409]
    assert conflicts == [errors.KeyInUse]


def test_a_call_that_is_still_under_way():
    """Only PostgreSQL has two writers, so only there it is seen over HTTP."""
    error = errors.KeyInUse()
    assert error.status == 409
    assert error.body()["error"] == {
        "message": "The request with this Idempotency-Key is still being carried out. Try again "
        "in a moment.",
        "type": "invalid_request_error",
        "param": "Idempotency-Key",
        "code": "idempotency_key_in_use",
    }


def test_another_body_under_the_same_key_is_no_conflict():
    """The SDKs would repeat a 409, for ever in vain."""
    error = errors.KeyReuse()
    assert (error.status, error.headers) == (400, {})
    assert error.body()["error"] == {
        "message": "This Idempotency-Key was used with another request body before. Use a new "
        "key for a new request.",
        "type": "invalid_request_error",
        "param": "Idempotency-Key",
        "code": "idempotency_key_reuse",
    }


def test_code_and_param_of_a_bad_request():
    error = errors.BadRequest("No.", code="too_long", param="name")
    assert error.body()["error"] == {
        "message": "No.", "type": "invalid_request_error", "param": "name", "code": "too_long",
    }  # fmt: skip


def test_less_is_delivered_without_commit_than_a_takeover_skips():
    assert limits.UNFLUSHED_EVENTS < limits.NUMBER_JUMP
