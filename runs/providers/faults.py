"""What an upstream does to us, and what we make of it.

=========================================  ====================  =========  =====================
The upstream ...                           ``last_error.code``   retryable  message begins
=========================================  ====================  =========  =====================
answers 400, 413, 422                      invalid_prompt        no         refused the request
answers 401, 403                           server_error          no         refused the key
answers 402                                rate_limit_exceeded   no         wants to be paid
answers 404, 405                           server_error          no         does not know the
                                                                            model or the address
answers 429                                rate_limit_exceeded   yes [1]_   is limiting requests
answers 408, 409, 425 or 5xx               server_error          yes        failed
answers 3xx                                server_error          no         wants to redirect
answers any other status                   server_error          no         answered with status
cannot be reached, refuses to connect      server_error          yes        could not be reached
has a certificate we do not trust          server_error          no         has a certificate
is silent before its answer                server_error          yes        did not answer within
closes the connection before its answer    server_error          yes        closed the connection
is silent in the middle of its answer      server_error          yes        fell silent
closes in the middle, or ends the stream   server_error          yes        broke off its answer
with neither finish reason nor ``[DONE]``
sends ``[DONE]`` and nothing before it     server_error          yes        broke off its answer
sends a chunk that is not a JSON object    server_error          yes        sent something that
sends an ``error`` object                  by its code or type, as the status above
answers 200 with a page, not an answer     server_error          no         answered with text/html
answers in gzip though asked not to        server_error          no         answered in the
                                                                            encoding
sends a line > 1 MiB, an event > 4 MiB,    server_error          no         sent more than
> 16 MiB of text or > 128 calls
=========================================  ====================  =========  =====================

Not faults: ``[DONE]`` with no finish reason after text or calls (taken as ``stop``), anything that
happens after the finish reason, no usage, an empty answer, arguments that are not JSON, names that
were never offered, fields we do not know. "Retryable" is advice: a turn is only tried again while
nobody has seen any piece of it. The upstream's own words are appended to each message.

.. [1] ``retry_after`` from ``retry-after-ms`` or ``retry-after``; not if the quota is used up,
   which no waiting cures.
"""

import datetime as dt
import email.utils
import json
import math
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from runs.providers.base import ErrorCode, UpstreamError

MAX_QUOTE = 500  # characters of the upstream's own words in a message
SHORTEST_SECRET = 6  # a shorter "key" (`none`, `x`) is no secret, and scrubbing it mangles words

REFUSED_REQUEST = frozenset({400, 413, 422})
REFUSED_KEY = frozenset({401, 403})
UNKNOWN_PLACE = frozenset({404, 405})
PASSING = frozenset({408, 409, 425})

STATUS = re.compile("[45][0-9][0-9]")

#: Codes and types in ``error`` objects, as the status with which they come outside of a stream.
STATUS_OF_CODE = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "content_policy_violation": 400,
    "content_filter": 400,
    "BadRequestError": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "billing_error": 402,
    "model_not_found": 404,
    "not_found_error": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
}


def quote(text: str, secrets: Sequence[str]) -> str:
    """Return an upstream's words fit for a message: no secret, no control character, one line."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[redacted]")
    text = " ".join(text.split())[: MAX_QUOTE + 1]
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…"


def with_quote(sentence: str, words: str, secrets: Sequence[str]) -> str:
    said = quote(words, secrets)
    return f"{sentence} It said: {said}" if said else sentence


def fault_of_status(
    status: int, words: str, headers: Mapping[str, str], secrets: Sequence[str], model: str
) -> UpstreamError:
    """Return the fault for a status that is not 200.

    ``words`` is the upstream's own text (see ``words_of``), ``headers`` has lower-case names.
    """
    code, retryable, sentence = judge(status, quote(model, ()), words)
    return UpstreamError(
        with_quote(sentence, words, secrets),
        code,
        retryable=retryable,
        retry_after=retry_after(headers) if retryable else None,
    )


def judge(status: int, model: str, words: str) -> tuple[ErrorCode, bool, str]:
    """Return code, retryable and sentence for a status; see the table above."""
    if status in REFUSED_REQUEST:
        return "invalid_prompt", False, f"The upstream refused the request ({status})."
    if status in REFUSED_KEY:
        return (
            "server_error",
            False,
            f"The upstream refused the key ({status}). Check RUNSITE_UPSTREAM_KEY.",
        )
    if status in UNKNOWN_PLACE:
        return (
            "server_error",
            False,
            f"The upstream does not know the model '{model}' or the address ({status}). "
            "Check the model's name, and that RUNSITE_UPSTREAM_URL ends in /v1.",
        )
    return judge_load(status, words)


def judge_load(status: int, words: str) -> tuple[ErrorCode, bool, str]:
    """The part of ``judge`` about upstreams that could not, rather than would not."""
    if status == httpx.codes.PAYMENT_REQUIRED:
        return "rate_limit_exceeded", False, "The upstream wants to be paid first (402)."
    if status == httpx.codes.TOO_MANY_REQUESTS:
        lasting = "insufficient_quota" in words
        return "rate_limit_exceeded", not lasting, "The upstream is limiting requests (429)."
    if status in PASSING or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return "server_error", True, f"The upstream failed ({status})."
    if httpx.codes.is_redirect(status):
        return (
            "server_error",
            False,
            f"The upstream wants to redirect to another address ({status}), which is not "
            "followed. Set RUNSITE_UPSTREAM_URL to the final address.",
        )
    return "server_error", False, f"The upstream answered with status {status}."


def fault_of_object(error: Any, secrets: Sequence[str], model: str) -> UpstreamError:
    """Return the fault for an ``error`` found in the answer: mostly a dict, sometimes text."""
    return fault_of_status(status_of(error), words_of({"error": error}), {}, secrets, model)


def status_of(error: Any) -> int:
    """Return the status that an ``error`` object stands for; 500 if it does not say."""
    if not isinstance(error, dict):
        return 500
    for key in ("code", "type", "status"):
        value = error.get(key)
        if isinstance(value, str):
            value = STATUS_OF_CODE.get(value) or (int(value) if STATUS.fullmatch(value) else None)
        if isinstance(value, int) and STATUS.fullmatch(str(value)):
            return value
    return 500


def words_of(body: Any) -> str:
    """Return what an error body says, from any of the shapes in use; "" if it says nothing.

    OpenAI: ``{"error": {"message", "type", "code"}}``; others: ``{"error": "text"}``,
    ``{"message": "text"}``, ``{"detail": "text" | [...]}`` (FastAPI); or text that is not JSON.
    """
    if isinstance(body, bytes):
        text = body.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return text
    if not isinstance(body, dict):
        return as_text(body)
    error = body.get("error") or body.get("detail") or body.get("message") or body
    if not isinstance(error, dict):
        return as_text(error)
    message = as_text(error.get("message") or error)
    code = error.get("code")
    named = isinstance(code, str) and code not in message and not code.isdecimal()
    return f"{message} ({code})" if named else message


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds an upstream asks us to wait: ``retry-after-ms``, else ``retry-after``.

    The latter is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=dt.UTC)
    return max((date - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def fault_of_transport(
    error: httpx.TransportError, *, answering: bool, read_seconds: float, secrets: Sequence[str]
) -> UpstreamError:
    """Return the fault for a connection that failed; ``answering``: after the reply's headers."""
    if untrusted(error):
        sentence = (
            "The upstream has a certificate that is not trusted. If it is signed by your own "
            "authority, name that authority's file in RUNSITE_UPSTREAM_CA_FILE."
        )
        return UpstreamError(with_quote(sentence, str(error), secrets))
    if isinstance(error, httpx.ReadTimeout):
        sentence = (
            f"The upstream fell silent for {read_seconds:g} s in the middle of its answer."
            if answering
            else f"The upstream did not answer within {read_seconds:g} s."
        )
        return UpstreamError(sentence, retryable=True)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        sentence = (
            "The upstream could not be reached. Check that it runs and that RUNSITE_UPSTREAM_URL "
            f"is right. Cause: {quote(str(error), secrets) or type(error).__name__}"
        )
        return UpstreamError(sentence, retryable=True)
    if answering:
        return broke_off()
    return UpstreamError("The upstream closed the connection before it answered.", retryable=True)


def untrusted(error: BaseException) -> bool:
    """Whether a failed certificate check is what lies under ``error``."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def broke_off() -> UpstreamError:
    return UpstreamError("The upstream broke off its answer in the middle.", retryable=True)


def sent_too_much(what: str) -> UpstreamError:
    return UpstreamError(f"The upstream sent more than {what}; its answer was given up.")


def not_json(chunk: str, secrets: Sequence[str]) -> UpstreamError:
    sentence = "The upstream sent something that is not a chunk of chat completions."
    return UpstreamError(with_quote(sentence, chunk, secrets), retryable=True)


def not_an_answer(content_type: str, body: bytes, secrets: Sequence[str]) -> UpstreamError:
    sentence = (
        f"The upstream answered with {quote(content_type, secrets) or 'an unknown type'}, not "
        "with chat completions. Check that RUNSITE_UPSTREAM_URL ends in /v1."
    )
    return UpstreamError(with_quote(sentence, body.decode("utf-8", "replace"), secrets))


def encoded(encoding: str, secrets: Sequence[str]) -> UpstreamError:
    return UpstreamError(
        f"The upstream answered in the encoding {quote(encoding, secrets)}, though it was asked "
        "for none."
    )
