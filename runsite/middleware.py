"""Middleware of our own, native in both modes: nothing here costs a thread hop under ASGI."""

import logging
import time
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any
from uuid import uuid4

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from runs.contract import limits
from runs.contract.errors import ApiError, BadRequest, TooLarge
from runsite import logs
from runsite.paths import Area, area

logger = logging.getLogger("runsite.access")

GetResponse = Callable[[HttpRequest], Any]
Middleware = Callable[[HttpRequest], Any]

#: Content-Security-Policy of each area. The console's is kept by its pages without any
#: exception: no inline script, style or handler.
POLICIES: dict[Area, str] = {
    "api": "default-src 'none'; sandbox",
    "console": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "admin": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "object-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "static": "default-src 'none'",
}
POLICIES["page"] = POLICIES["console"]

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def around(
    get_response: GetResponse,
    before: Callable[[HttpRequest], HttpResponseBase | None],
    after: Callable[[HttpRequest, HttpResponseBase], None] = lambda request, response: None,
) -> Middleware:
    """A middleware for both modes from two plain functions that wait for nothing."""
    if iscoroutinefunction(get_response):

        async def in_async(request: HttpRequest) -> HttpResponseBase:
            response = before(request)
            if response is None:
                response = await get_response(request)
            after(request, response)
            return response

        return in_async

    def in_sync(request: HttpRequest) -> HttpResponseBase:
        response = before(request)
        if response is None:
            response = get_response(request)
        after(request, response)
        return response

    return in_sync


@sync_and_async_middleware
def request_context(get_response: GetResponse) -> Middleware:
    """Give each request an id, in its answer and in its log lines, and log the answer."""

    def before(request: HttpRequest) -> None:
        request.started = time.monotonic()  # type: ignore[attr-defined] # ours, read below
        request.request_id = f"req_{uuid4().hex}"  # type: ignore[attr-defined] # for views
        logs.request_id.set(request.request_id)  # type: ignore[attr-defined]

    def after(request: HttpRequest, response: HttpResponseBase) -> None:
        response.headers["x-request-id"] = request.request_id  # type: ignore[attr-defined]
        if area(request.path) == "static" or (
            request.path == "/readyz" and response.status_code == 200
        ):
            return
        route = request.resolver_match.route if request.resolver_match else request.path
        logger.info(
            "request",
            extra={
                "method": request.method,
                "route": route,  # the pattern, never the query string
                "status": response.status_code,
                "seconds": round(time.monotonic() - request.started, 4),  # type: ignore[attr-defined]
            },
        )

    return around(get_response, before, after)


@sync_and_async_middleware
def security_headers(get_response: GetResponse) -> Middleware:
    """Headers that every answer carries, errors too. Only static files may be kept."""

    def after(request: HttpRequest, response: HttpResponseBase) -> None:
        part = area(request.path)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", POLICIES[part])
        if part != "static":
            response.headers.setdefault("Cache-Control", "no-store")

    return around(get_response, lambda request: None, after)


@sync_and_async_middleware
def host_check(get_response: GetResponse) -> Middleware:
    """Refuse a Host that is not ours, on every path.

    Django asks for the host only where something needs it. Without this a page on the net
    could reach a server on loopback by a name of its own that resolves to 127.0.0.1.
    """

    def before(request: HttpRequest) -> HttpResponseBase | None:
        try:
            request.get_host()
        except DisallowedHost:
            return refusal(
                request,
                BadRequest(
                    "This host name is not served here. Add it to RUNSITE_ALLOWED_HOSTS.",
                    code="host_not_allowed",
                ),
            )
        return None

    return around(get_response, before)


@sync_and_async_middleware
def body_limit(get_response: GetResponse) -> Middleware:
    """Refuse a declared body over the limit; runsite.asgi counts undeclared ones."""

    def before(request: HttpRequest) -> HttpResponseBase | None:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdecimal() and int(declared) > limits.BODY_BYTES:
            return refusal(request, TooLarge(limits.BODY_BYTES))
        return None

    return around(get_response, before)


def refusal(request: HttpRequest, error: ApiError) -> HttpResponseBase:
    """``error`` as JSON for programs and as a plain line for people."""
    if area(request.path) == "api":
        return JsonResponse(error.body(), status=error.status, headers=error.headers)
    return HttpResponse(error.message, status=error.status, content_type="text/plain")
