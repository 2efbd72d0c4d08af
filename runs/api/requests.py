"""What all views share: how a request is read, and what every answer carries.

Views that neither wait nor stream are REST framework's (:class:`ApiView`). Those that do
are plain async functions (:func:`async_view`) that read the request the same way. A view
of either kind does its authentication, look-ups and operation in one database unit.
"""

import functools
import io
import time
from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, NoReturn

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.auth import KeyAuthentication
from runs.api.errors import error_response
from runs.api.negotiation import IgnoreAccept
from runs.contract.errors import WrongMethod
from runs.inputs.parsers import StrictJSONParser
from runs.models import ApiKey, Project

AsyncView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

VERSION = "2020-10-01"  # of the original service's answers; SDK users may log it


class ApiRequest(Request):
    """REST framework's request with our key check and our parser."""

    def __init__(self, request: HttpRequest):
        super().__init__(
            request,
            parsers=[StrictJSONParser()],
            authenticators=[KeyAuthentication()],
            negotiator=IgnoreAccept(),
        )

    @property
    def project(self) -> Project:
        """The project that the key is of. Asks the database on first use."""
        found: Project = self.user.project  # type: ignore[union-attr] # a Caller
        return found

    @property
    def key(self) -> ApiKey:
        """The key that the call was made with."""
        found: ApiKey = self.auth  # type: ignore[assignment] # the stubs know only Token
        return found

    def _load_stream(self) -> None:
        """Take the body that is there. The original goes by Content-Length alone, and finds
        a chunked body empty; and it makes form data of no body at all."""
        self._stream = io.BytesIO(self._request.body)


class ApiView(APIView):
    """A view that neither waits nor streams."""

    request: ApiRequest
    http_method_names = ["get", "post", "delete"]  # noqa: RUF012  as in the base class

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        """The request as our views know it."""
        return ApiRequest(request)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        """405."""
        raise WrongMethod(request.method or "", request.path, self.allowed_methods)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: ``Allow`` belongs to a 405, and there is nothing to vary by."""
        return {}

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Give the answer what every answer carries."""
        finished: Response = super().finalize_response(request, response, *args, **kwargs)
        dress(finished, request)
        return finished


def async_view(view: AsyncView) -> AsyncView:
    """A plain async view, given an :class:`ApiRequest`, with the errors and headers of all."""

    @functools.wraps(view)
    async def wrapped(request: HttpRequest, **ids: str) -> HttpResponseBase:
        response: HttpResponseBase
        try:
            response = await view(ApiRequest(request), **ids)
        except Exception as error:  # what is not foreseen is logged there
            response = error_response(error, request)
        dress(response, request)
        return response

    return wrapped


def by_method(**views: Callable[..., Any]) -> AsyncView:
    """One URL whose methods (``GET=…, POST=…``) are views of different kinds."""

    @async_view
    async def refuse(request: ApiRequest, **ids: str) -> NoReturn:
        raise WrongMethod(request.method or "", request.path, views)

    async def dispatch(request: HttpRequest, **ids: str) -> HttpResponseBase:
        view = views.get(request.method or "", refuse)
        if not iscoroutinefunction(view):
            view = sync_to_async(view)
        response: HttpResponseBase = await view(request, **ids)
        return response

    # A class that has these methods, for the generator of the OpenAPI document, which knows no
    # other kind of view. Nothing else makes one.
    methods = {method.lower(): view for method, view in views.items()}
    dispatch.cls = type("ByMethod", (ApiView,), methods)  # type: ignore[attr-defined]
    dispatch.initkwargs = {}  # type: ignore[attr-defined]
    return dispatch


def dress(response: HttpResponseBase, request: HttpRequest | Request) -> None:
    """Headers of every answer of the API. ``x-request-id`` comes from the middleware."""
    started = getattr(request, "started", None) or time.monotonic()
    response.headers["openai-version"] = VERSION
    response.headers["openai-processing-ms"] = str(round((time.monotonic() - started) * 1000))
