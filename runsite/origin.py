"""Which pages may open a socket: only those of this very server."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

logger = logging.getLogger(__name__)

Application = Callable[[Any, Any, Any], Awaitable[None]]


class OwnOrigin:
    """Refuse a socket whose Origin is not the server's own scheme, host and port.

    Browsers send cookies along with any page's sockets and ignore the port in doing so.
    Comparing host names alone would let every other program on this machine in.
    """

    def __init__(self, application: Application):
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand on, or close before the handshake."""
        if allowed(scope):
            await self.application(scope, receive, send)
            return
        logger.warning("socket of a foreign origin refused", extra={"path": scope["path"][:200]})
        await send({"type": "websocket.close", "code": 4403})


def allowed(scope: Any) -> bool:
    """Whether the one Origin is ours or trusted, and the Host is one that we serve."""
    origins = header(scope, b"origin")
    hosts = header(scope, b"host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    host = hosts[0].lower()
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    # Daphne names no scheme for sockets; behind TLS the origin is a trusted one.
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    origin = origins[0].lower().rstrip("/")
    trusted = [known.lower().rstrip("/") for known in settings.RUNSITE_TRUSTED_ORIGINS]
    return origin == f"{scheme}://{host}" or origin in trusted


def header(scope: Any, name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
