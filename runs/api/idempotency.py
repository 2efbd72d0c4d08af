"""POSTs that may be repeated: the header ``Idempotency-Key``."""

import functools
import hashlib
import re
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from rest_framework.response import Response

from runs import operations
from runs.api import warnings
from runs.api.lookups import shaped
from runs.api.requests import ApiRequest, ApiView
from runs.contract.errors import BadRequest
from runs.operations import Answer, Call

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY = re.compile(r"[ -~]{1,255}")
#: Of a path: the same call may come under any of the prefixes that the API has.
PREFIX = re.compile(r"^/(?:openai/)?(?:v1/)?")

P = ParamSpec("P")
V = TypeVar("V", bound=ApiView)
Post = Callable[Concatenate[V, ApiRequest, P], Response]


def repeatable(post: Post[V, P]) -> Post[V, P]:
    """A ``post`` of a view that is carried out once per ``Idempotency-Key``."""

    @functools.wraps(post)
    def wrapped(view: V, request: ApiRequest, /, *args: P.args, **ids: P.kwargs) -> Response:
        def work() -> Answer:
            response = post(view, request, *args, **ids)
            told = response.headers.get(warnings.HEADER)
            return Answer(response.data, {warnings.HEADER: told} if told else {})

        answer = once(request, work)
        return Response(answer.wire, headers=headers_of(answer))

    return wrapped


def once(request: ApiRequest, work: Callable[[], Answer]) -> Answer:
    """Do ``work`` for a POST, once per ``Idempotency-Key``; without one, each time.

    Raises:
        BadRequest: the header holds no key.
        KeyReuse, KeyInUse: as :func:`runs.operations.once`.
    """
    project = request.project  # a caller without a key of the API hears of that first
    given = request.headers.get(HEADER)
    if given is None:
        return work()
    if not KEY.fullmatch(given):
        raise BadRequest(
            f"Invalid '{HEADER}': expected 1 to 255 printable ASCII characters.",
            code="invalid_value",
            param=HEADER,
        )
    _ = request.data  # the body is read before the transaction, not in it
    match = request.resolver_match
    thread_id = match.kwargs.get("thread_id") if match else None
    call = Call(
        project=project,
        key=given,
        route=quote(PREFIX.sub("/", request.path_info), errors="surrogatepass"),
        body_digest=hashlib.sha256(request.body).hexdigest(),
        thread_id=None if thread_id is None else shaped(thread_id),
    )
    return operations.once(call, work)


def headers_of(answer: Answer) -> dict[str, str]:
    """The headers of an answer that may be a repeated one."""
    return answer.headers | ({REPLAYED: "true"} if answer.repeated else {})
