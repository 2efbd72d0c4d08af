"""The document and its page: public, without a key, made once in a process."""

import functools
import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response

from runs.api.errors import error_response
from runs.api.openapi import generator
from runs.contract.errors import WrongMethod

#: The page's scripts and styles are files of ours; it asks this server and no other.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def page() -> bytes:
    """The page that shows the document."""
    return render_to_string("docs.html").encode()


def served(
    made: Callable[[], bytes], content_type: str, headers: dict[str, str]
) -> Callable[[HttpRequest], HttpResponseBase]:
    """A view of something that does not change while the process lives.

    Readers keep it and ask whether it is still the same: after an upgrade it may not be.
    """

    @functools.cache
    def kept() -> tuple[bytes, str]:
        body = made()
        return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'

    def view(request: HttpRequest) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            refused = WrongMethod(request.method or "", request.path, ("GET", "HEAD"))
            return error_response(refused, request)
        body, etag = kept()
        whole = HttpResponse(body, content_type=content_type)
        answer = get_conditional_response(request, etag=etag, response=whole) or whole
        for name, value in {"ETag": etag, "Cache-Control": "no-cache", **headers}.items():
            answer.headers[name] = value
        return answer

    return view


document = served(generator.document, "application/json", {})
docs = served(page, "text/html; charset=utf-8", {"Content-Security-Policy": POLICY})
