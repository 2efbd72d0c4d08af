"""Django's middleware for pages: it steps aside on the API's paths.

These classes are sync; under ASGI each would send every request through a thread. The
API needs none of them (it has its own key check, and host, body and header rules live in
runsite.middleware), so there they hand the request on at once, in either mode. They are
subclasses of Django's, so that the system checks of the admin find what they look for.
"""

from asyncio import iscoroutinefunction
from collections.abc import Callable
from typing import Any

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware import common, csrf, security
from whitenoise import middleware as whitenoise

from runsite.paths import is_api


class PagesOnly:
    """Mixin, to stand before a Django middleware class: the API's requests pass it by."""

    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> Any:
        """Hand on, or do what the class does."""
        if is_api(request.path):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc] # given by the Django class


class SecurityMiddleware(PagesOnly, security.SecurityMiddleware):
    """HTTPS redirects and HSTS, where they are set."""


class SessionMiddleware(PagesOnly, sessions.SessionMiddleware):
    """Sessions."""


class CommonMiddleware(PagesOnly, common.CommonMiddleware):
    """Content length."""


class AuthenticationMiddleware(PagesOnly, auth.AuthenticationMiddleware):
    """``request.user``."""


class MessageMiddleware(PagesOnly, messages.MessageMiddleware):
    """Messages that outlive a redirect."""


class CsrfViewMiddleware(PagesOnly, csrf.CsrfViewMiddleware):
    """CSRF tokens. Only the console and the admin act by cookie."""

    async def process_view(  # type: ignore[override] # async, so that the API pays no hop
        self, request: HttpRequest, callback: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Check the token of a page's POST."""
        if is_api(request.path):
            return None
        check = sync_to_async(super().process_view, thread_sensitive=True)
        return await check(request, callback, args, kwargs)


class WhiteNoiseMiddleware(whitenoise.WhiteNoiseMiddleware):  # type: ignore[misc] # untyped
    """Static files. Looking a path up is a dict access: only a hit needs the thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]):
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Serve a file, or hand on."""
        file = self.files.get(request.path_info)
        if file is None:
            return self.get_response(request)
        if iscoroutinefunction(self.get_response):
            return sync_to_async(self.serve, thread_sensitive=False)(file, request)
        return self.serve(file, request)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """The file in one piece: Django warns of, and then joins, files streamed under ASGI."""
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response
