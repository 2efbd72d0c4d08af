"""How often a password may be tried: under one name from one address, and from one address under
all names. Each serving process counts for itself, in memory."""

import hashlib
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

OF_NAME = 5
NAME_SECONDS = 15 * 60
OF_ADDRESS = 30
ADDRESS_SECONDS = 60

View = Callable[..., HttpResponseBase]


def limited(view: View) -> View:
    """Let a view that takes a name and a password be asked only so often.

    A try counts before the password is looked at: many at once are no way around, and who guesses
    right past the limit does not learn it. A right one in time ends the count of its name.
    """

    @wraps(view)
    def trying(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        name = spelled(request.POST.get("username", ""))
        address = request.META.get("REMOTE_ADDR") or ""
        of_name = key("name", address, name)
        if too_many(key("address", address), OF_ADDRESS, ADDRESS_SECONDS):
            return refused(request, "a minute", ADDRESS_SECONDS)
        if too_many(of_name, OF_NAME, NAME_SECONDS):
            return refused(request, f"{NAME_SECONDS // 60} minutes", NAME_SECONDS)
        response = view(request, *args, **kwargs)
        if request.user.is_authenticated and spelled(request.user.get_username()) == name:
            caches["tries"].delete(of_name)
        return response

    return trying


def spelled(name: str) -> str:
    """A name as it is counted: all that the form takes for the same one, and more."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def key(*parts: str) -> str:
    """Under what is counted: names may be long, and hold anything."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def too_many(counted: str, most: int, seconds: int) -> bool:
    """Count one more; whether those of so many seconds are more than ``most`` with it."""
    tries = caches["tries"]
    tries.add(counted, 0, seconds)
    with suppress(ValueError):  # its time was up in this very moment
        return int(tries.incr(counted)) > most
    return False


def refused(request: HttpRequest, when: str, seconds: int) -> HttpResponse:
    """The page that says so."""
    message = f"Too many attempts to sign in from your address. Try again in {when}."
    response = render(request, "429.html", {"message": message}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response
