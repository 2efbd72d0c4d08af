"""The address by which people reach this server."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def base_url() -> str:
    """The public address if there is one, else that of the process itself; without a path."""
    if origins := trusted():
        return origins[0]
    host = settings.RUNSITE_HOST
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = settings.ALLOWED_HOSTS[0].lstrip(".")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.RUNSITE_PORT}"


def absolute(request: HttpRequest, path: str) -> str:
    """A path as a whole address for others: under the name that was asked for if that is public.

    A proxy that ends TLS asks in plain HTTP, so the request does not know its own scheme.
    """
    if not (origins := trusted()):
        return request.build_absolute_uri(path)
    host = request.get_host().lower()
    public = next((known for known in origins if urlsplit(known).netloc == host), origins[0])
    return f"{public}{path}"


def trusted() -> list[str]:
    """RUNSITE_TRUSTED_ORIGINS without patterns."""
    known = [origin.lower().rstrip("/") for origin in settings.RUNSITE_TRUSTED_ORIGINS]
    return [origin for origin in known if "*" not in origin]
