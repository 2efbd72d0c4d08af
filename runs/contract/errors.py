"""Every error that a caller of the API can act on.

One class per situation; each knows its HTTP status and the fields of the envelope
``{"error": {"message", "type", "param", "code"}}``. Texts follow recorded answers of the
original service where there are any.
"""

from collections.abc import Iterable
from typing import Any, ClassVar


class ApiError(Exception):
    """Root: an answer in the API's own error shape."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    code: str | None = None
    param: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.param = param or self.param
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The envelope."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class BadRequest(ApiError):
    """A body or query that breaks a rule; the code names the rule."""


class MissingKey(ApiError):
    """No Authorization header."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        )


class WrongKey(ApiError):
    """A key we do not know, or one that was revoked."""

    status = 401

    def __init__(self, masked: str):
        super().__init__(
            f"Incorrect API key provided: {masked}. Create one in the console or with "
            "`manage.py create_key`.",
            code="invalid_api_key",
        )


class MissingBeta(ApiError):
    """No ``OpenAI-Beta`` header while ``RUNSITE_STRICT_BETA`` is set."""

    def __init__(self) -> None:
        super().__init__(
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try "
            "again by setting the header 'OpenAI-Beta: assistants=v2'.",
            code="invalid_beta",
        )


class UnknownUrl(ApiError):
    """No such route."""

    status = 404

    def __init__(self, method: str, path: str):
        super().__init__(f"Invalid URL ({method} {path})")


class NotFound(ApiError):
    """No such object, or one of another project: the two are told alike."""

    status = 404

    def __init__(self, kind: str, object_id: str):
        super().__init__(f"No {kind} found with id '{object_id}'.")


class WrongMethod(ApiError):
    """The route exists, the method does not."""

    status = 405

    def __init__(self, method: str, path: str, allowed: Iterable[str]):
        super().__init__(
            f"Not allowed to {method} on {path}.",
            code="method_not_supported",
            headers={"Allow": ", ".join(sorted(allowed))},
        )


class TooLarge(ApiError):
    """A body over the limit."""

    status = 413

    def __init__(self, limit: int):
        super().__init__(f"The request body is larger than {limit} bytes.", code="body_too_large")


class NotJson(ApiError):
    """A body that is not the JSON we take."""

    def __init__(self, reason: str):
        super().__init__(
            f"We could not parse the JSON body of your request. {reason} "
            "The API expects a JSON object in UTF-8."
        )
        self.reason = reason


class ThreadBusy(ApiError):
    """A second run on a thread whose run has not ended."""

    def __init__(self, thread_id: str, run_id: str):
        super().__init__(f"Thread {thread_id} already has an active run {run_id}.")


class LineFull(ApiError):
    """One more run for a line that has no room left."""

    def __init__(self, thread_id: str, run_id: str, waiting: int):
        super().__init__(
            f"Thread {thread_id} already has {waiting} runs in line behind run {run_id}."
        )


class ThreadLocked(ApiError):
    """A message for a thread whose run has not ended."""

    def __init__(self, thread_id: str, run_id: str):
        super().__init__(f"Can't add messages to {thread_id} while a run {run_id} is active.")


class NoOutputsWanted(ApiError):
    """Tool outputs for a run that does not wait for them."""

    def __init__(self, status: str):
        super().__init__(f'Runs in status "{status}" do not accept tool outputs.')


class WrongOutputs(ApiError):
    """Tool outputs whose call ids are not exactly the pending ones."""

    def __init__(self, expected: list[str], got: list[str]):
        super().__init__(f"Expected tool outputs for call_ids {expected}, got {got}")


class NotCancellable(ApiError):
    """Cancel of a run that has ended or is being cancelled."""

    def __init__(self, status: str):
        super().__init__(f"Cannot cancel run with status '{status}'.")


class KeyReuse(ApiError):
    """An ``Idempotency-Key`` that came with another body before. Repeating it cannot help."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used with another request body before. Use a new key for "
            "a new request.",
            code="idempotency_key_reuse",
            param="Idempotency-Key",
        )


class KeyInUse(ApiError):
    """The call with this ``Idempotency-Key`` is still under way.

    The only conflict of the API: the SDKs repeat it by themselves, and then get the answer.
    """

    status = 409

    def __init__(self) -> None:
        super().__init__(
            "The request with this Idempotency-Key is still being carried out. Try again in a "
            "moment.",
            code="idempotency_key_in_use",
            param="Idempotency-Key",
            headers={"retry-after-ms": "500"},
        )


class TooManyStreams(ApiError):
    """One more stream than may be open at once. Nothing was done."""

    status = 429
    type = "requests"

    def __init__(
        self,
        message: str = "The server has as many streams open as it may. Try again in a moment.",
    ):
        super().__init__(
            message,
            code="rate_limit_exceeded",
            headers={"retry-after": "1", "retry-after-ms": "1000"},
        )


class Busy(ApiError):
    """The server cannot take this now; the same request may succeed in a moment."""

    status = 503
    type = "server_error"

    def __init__(self, message: str = "The server is busy. Try again in a moment."):
        super().__init__(message, code="server_busy", headers={"retry-after": "1"})


class Internal(ApiError):
    """A defect here. A repeated call would fail alike: the SDKs, which repeat by themselves
    on 5xx, are told not to."""

    status = 500
    type = "server_error"

    def __init__(self) -> None:
        super().__init__(
            "The server had an error while processing your request. Sorry about that!",
            headers={"x-should-retry": "false"},
        )
