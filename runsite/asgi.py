"""The ASGI application, for any server; runsite.server is our own.

The engine starts with the server where the server says so (lifespan, or Daphne's
reactor), and with the first request otherwise.
"""

import logging
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runsite.settings")
django_application = get_asgi_application()  # loads the apps: what follows needs them

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from runs.console.routing import websocket_urlpatterns  # noqa: E402
from runs.contract import limits  # noqa: E402
from runs.contract.errors import TooLarge  # noqa: E402
from runsite import process, raw  # noqa: E402
from runsite.origin import OwnOrigin  # noqa: E402

logger = logging.getLogger(__name__)


async def no_such_socket(scope: Any, receive: Any, send: Any) -> None:
    """Close a socket to a path that has none."""
    logger.info("no such socket", extra={"path": scope["path"][:200]})
    await send({"type": "websocket.close", "code": 4404})


# Any: the stubs know routes to Django views only, and these lead to ASGI applications.
nowhere: Any = no_such_socket
routes: list[Any] = [*websocket_urlpatterns, re_path(r"", nowhere)]
sockets: Any = AuthMiddlewareStack(URLRouter(routes))
websocket_application = OwnOrigin(sockets)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request, serve one socket, or follow the server's life."""
    if scope["type"] == "http":
        await answer_http(scope, receive, send)
    elif scope["type"] == "websocket":
        await websocket_application(scope, receive, send)
    elif scope["type"] == "lifespan":
        await follow_lifespan(receive, send)


async def answer_http(scope: Any, receive: Any, send: Any) -> None:
    """``/healthz`` at once; all else through Django, with at most BODY_BYTES of body."""
    if scope["path"] == "/healthz":
        await send_all(send, 200, [(b"content-type", b"text/plain")], b"ok")
        return
    await process.current.start()
    received = 0

    async def counted() -> Any:
        """The next message; past the limit, what Django takes for a client that left."""
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return message if received <= limits.BODY_BYTES else {"type": "http.disconnect"}

    await django_application(scope, counted, send)
    if received > limits.BODY_BYTES:  # Django gave up while it read: nothing has been sent
        await send_all(send, *raw.answer(TooLarge(limits.BODY_BYTES)))


async def send_all(send: Any, status: int, headers: raw.Headers, body: bytes) -> None:
    """One whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def follow_lifespan(receive: Any, send: Any) -> None:
    """Start and stop with the server."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await process.current.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await process.current.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


process.follow_reactor()
