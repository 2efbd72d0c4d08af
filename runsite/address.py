"""The address by which people reach this server."""

from django.conf import settings


def base_url() -> str:
    """The address as a browser on this machine writes it, without a path."""
    host = settings.RUNSITE_HOST
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = settings.ALLOWED_HOSTS[0].lstrip(".")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.RUNSITE_PORT}"
