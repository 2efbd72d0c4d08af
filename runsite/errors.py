"""What is answered when no view could: JSON for programs, a page for people."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from runs.contract.errors import ApiError, BadRequest, Busy, Internal, UnknownUrl
from runs.models.database import TROUBLE
from runsite.paths import is_api


def answer(request: HttpRequest, error: ApiError, template: str) -> HttpResponse:
    """``error`` in the API's shape, or as the page ``template``."""
    if is_api(request.path):
        return JsonResponse(error.body(), status=error.status, headers=error.headers)
    context = {"message": error.message}
    page = render(request, template, context, status=error.status)
    for name, value in error.headers.items():
        page.headers[name] = value
    return page


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: a request that Django itself refuses."""
    return answer(request, BadRequest("The request could not be read."), "400.html")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403 on a page."""
    return render(request, "403.html", {"message": str(exception)}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose session has ended meanwhile; the console keeps what was typed."""
    message = "This page was open for too long, or your session has ended. Reload it and try again."
    return render(request, "403.html", {"message": message}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no such route, or no such object behind a page, which then says so."""
    if is_api(request.path):
        return answer(request, UnknownUrl(request.method or "GET", request.path), "404.html")
    told = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return render(request, "404.html", {"message": told}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a defect here. The traceback is in the log under the request's id. 503: the database
    could not take what stands before a view, such as looking for its session."""
    if isinstance(sys.exception(), TROUBLE):
        return answer(request, Busy(), "503.html")
    return answer(request, Internal(), "500.html")
