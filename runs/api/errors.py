"""The one place where whatever went wrong becomes an answer in the API's shape."""

import json
import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from runs.contract import limits
from runs.contract.errors import ApiError, BadRequest, Busy, Internal, TooLarge, UnknownUrl
from runs.events.log import StaleRun
from runs.models.database import TROUBLE

logger = logging.getLogger(__name__)


def translate(error: Exception, request: HttpRequest | Request) -> ApiError:
    """The answer to ``error``. What is not the caller's doing is logged here."""
    match error:
        case ApiError():
            return error
        case RequestDataTooBig():
            return TooLarge(limits.BODY_BYTES)
        case UnreadablePostError() | SuspiciousOperation():
            return BadRequest("The request could not be read.")
        case Http404():
            return UnknownUrl(request.method or "", request.path)
        case APIException():
            return BadRequest(str(error.detail))
        case _ if isinstance(error, (*TROUBLE, StaleRun)):
            logger.warning("The database could not take a request", exc_info=error)
            return Busy()
        case _:
            logger.error("A request failed", exc_info=error)
            return Internal()


def headers_of(error: ApiError) -> dict[str, str]:
    """The headers that go with an error."""
    if error.status == 401:
        return {"WWW-Authenticate": "Bearer"} | error.headers
    return error.headers


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Answer for a view of REST framework (its setting ``EXCEPTION_HANDLER``)."""
    answer = translate(error, context["request"])
    return Response(answer.body(), status=answer.status, headers=headers_of(answer))


def error_response(error: Exception, request: HttpRequest) -> HttpResponse:
    """Answer for an async view."""
    answer = translate(error, request)
    return json_response(answer.body(), status=answer.status, headers=headers_of(answer))


def json_response(
    wire: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    """A wire object as an answer, in the form that REST framework gives it too."""
    body = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(body, "application/json", status, headers=headers)
