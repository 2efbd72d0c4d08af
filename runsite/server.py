"""Runsite's own server: Daphne with write backpressure, a body limit and a clean stop.

Stock Daphne holds a whole body before the application sees the first byte, never waits
for a slow reader, and stops without a word to its sockets. The subclasses here reach into
Daphne 4.2 and Twisted 26; tests/ops/test_serve.py holds what they rely on.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server as DaphneServer  # installs the asyncio reactor on import
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import globalLogBeginner
from zope.interface import implementer

from runs.contract import limits
from runs.contract.errors import TooLarge
from runsite import raw

logger = logging.getLogger(__name__)
reactor: Any = installed_reactor  # which interfaces it has is decided at run time

BACKLOG = 1024  # connections that wait to be accepted
READ_SIZE = 65536  # bytes of a body handed to the application at once
SOCKET_MESSAGE_BYTES = 64 * 1024  # clients of our sockets have nothing to say
STALL_SECONDS = 60  # a reader that takes nothing for so long is cut off
LINGER_SECONDS = 2  # a refused body is read on this long, or the client may miss the answer
FINISH_SECONDS = 0.5  # for requests under way at a stop
CANCEL_SECONDS = 3  # for applications to end after their cancellation
SOCKET_RESTARTING = 4000  # close code that tells our pages to reconnect


@implementer(IPushProducer)
class Flow:
    """Whether a connection can take more: Twisted says so, the application waits for it."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The write buffer is full."""
        self.open.clear()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The write buffer is empty."""
        self.open.set()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone: wake who waits."""
        self.open.set()

    async def wait(self) -> bool:
        """Return once more can be written; False if the reader takes nothing for too long."""
        if self.open.is_set():
            return True
        try:
            async with asyncio.timeout(STALL_SECONDS):
                return await self.open.wait()
        except TimeoutError:
            return False


class Request(WebRequest):  # type: ignore[misc] # Daphne is untyped
    """An HTTP request whose body is bounded and whose answer waits for its reader."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.flow = Flow()
        self.refused = False
        self.body_bytes = 0
        super().__init__(*args, **kwargs)

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """Refuse by the declared length, before anything is read. None: chunked."""
        super().gotLength(length if (length or 0) <= limits.BODY_BYTES else 0)
        if (length or 0) > limits.BODY_BYTES:
            self.refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count what comes; drop what follows a refusal."""
        self.body_bytes += len(data)
        if self.refused:
            return
        if self.body_bytes > limits.BODY_BYTES:
            self.refuse()
            return
        super().handleContentChunk(data)

    def refuse(self) -> None:
        """Answer 413 now. Closing at once would destroy the answer while the client writes."""
        self.refused = True
        status, headers, body = raw.answer(TooLarge(limits.BODY_BYTES))
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        start = b"HTTP/1.1 %d Request Entity Too Large\r\n" % status
        self.channel.transport.write(start + head + b"\r\n" + body)
        reactor.callLater(LINGER_SECONDS, self.close)

    def requestReceived(self, *args: Any) -> None:  # noqa: N802 - Twisted's name
        """The request is complete: process it, unless it was refused."""
        if self.refused:
            self.close()
        else:
            super().requestReceived(*args)

    def close(self) -> None:
        """End the connection if there still is one."""
        if self.channel is not None:
            self.channel.loseConnection()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Register for the reader's pauses while the answer goes on."""
        if self.finished or self.channel is None:
            return
        more = message.get("more_body", False)
        if message["type"] == "http.response.body" and not more and self.producer:
            self.unregisterProducer()
        super().handle_reply(message)
        if more and self.producer is None and not self.finished:
            self.registerProducer(self.flow, True)

    def handle_exception(self, exception: Exception) -> None:
        """Answer 500, or cut off what has begun: its reader is told that this is not all."""
        if self._response_started:
            self.cut_off()
        else:
            super().handle_exception(exception)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - Twisted's name
        """Wake an application that waits for the reader."""
        self.flow.open.set()
        super().connectionLost(reason)

    def cut_off(self) -> None:
        """Drop the connection and what it has not taken."""
        if self.channel is not None:
            self.channel.transport.abortConnection()


class RequestFactory(HTTPFactory):  # type: ignore[misc] # Daphne is untyped
    """Makes our requests."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """A connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class Socket(WebSocketProtocol):  # type: ignore[misc] # Daphne is untyped
    """A WebSocket that waits for its reader."""

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        """Take over from the HTTP connection, which would stop *reading* on a full buffer."""
        super().onOpen()
        self.flow = Flow()
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.flow, True)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Send, unless the other side has begun to close: what it misses it asks for again."""
        with suppress(Disconnected):
            super().handle_reply(message)

    def cut_off(self) -> None:
        """Drop the connection and what it has not taken."""
        self.dropConnection(abort=True)

    def onClose(self, *args: Any) -> None:  # noqa: N802 - autobahn's name
        """Wake an application that waits for the reader."""
        if hasattr(self, "flow"):
            self.flow.open.set()
        super().onClose(*args)


class SocketFactory(WebSocketFactory):  # type: ignore[misc] # Daphne is untyped
    """Makes our sockets."""

    protocol = Socket


class Server(DaphneServer):  # type: ignore[misc] # Daphne is untyped
    """Serves an application on a socket that listens already, until it is told to stop.

    ``on_start`` is awaited first; ``on_ready`` is called once connections are accepted;
    ``drain`` is awaited after the listening socket is closed and before what is still
    running is cancelled.
    """

    def __init__(
        self,
        application: Any,
        listener: socket.socket,
        on_start: Callable[[], Awaitable[None]],
        on_ready: Callable[[], None],
        drain: Callable[[], Awaitable[None]],
    ):
        super().__init__(
            application,
            endpoints=[listener],
            server_name="",
            verbosity=0,
            request_buffer_size=READ_SIZE,
            websocket_max_message_size=SOCKET_MESSAGE_BYTES,
            websocket_max_frame_size=SOCKET_MESSAGE_BYTES,
        )
        self.listener = listener
        self.on_start = on_start
        self.on_ready = on_ready
        self.drain = drain
        self.failed = False
        self.stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends the process at once."""
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = RequestFactory(self)
        self.ws_factory = SocketFactory(self, server="")
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,  # runsite.origin decides
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )
        globalLogBeginner.beginLoggingTo(
            [drop],  # type: ignore[list-item] # any callable is an observer
            redirectStandardIO=False,
            discardBuffer=True,
        )
        loop = reactor._asyncioEventloop  # Daphne's own way to it
        asyncio.set_event_loop(loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_stop)
        reactor.callWhenRunning(lambda: Deferred.fromFuture(loop.create_task(self.begin())))
        reactor.addSystemEventTrigger(
            "before",
            "shutdown",
            lambda: Deferred.fromFuture(loop.create_task(self.end())),
        )
        reactor.run(installSignalHandlers=False)

    async def begin(self) -> None:
        """Start what serves, then accept connections."""
        try:
            await self.on_start()
        except Exception:
            logger.exception("the server could not be started")
            self.failed = True
            reactor.stop()
            return
        self.port = reactor.adoptStreamPort(
            self.listener.fileno(), self.listener.family, self.http_factory
        )
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        self.on_ready()

    def application_checker(self) -> None:
        """Tell of applications that broke, and forget those that ended; again in a second.

        Daphne's asks for the next time as its last deed: nobody would look again after one that
        broke off, and connections would pile up until the process ends.
        """
        try:
            super().application_checker()
        except Exception:
            logger.exception("a look at the applications broke off")
            reactor.callLater(1, self.application_checker)

    def timeout_checker(self) -> None:
        """Ping sockets, and end those that are overdue; again in two seconds, as above."""
        try:
            super().timeout_checker()
        except Exception:
            logger.exception("a look at the sockets broke off")
            reactor.callLater(2, self.timeout_checker)

    def ask_stop(self) -> None:
        """Stop; a second call does not wait for anything."""
        if self.stopping:
            sys.stderr.write("Stopped at once.\n")
            sys.stderr.flush()
            os._exit(1)
        self.stopping = True
        reactor.stop()

    async def end(self) -> None:
        """Refuse new connections, drain, then end what is still open."""
        if hasattr(self, "port"):
            self.port.stopListening()
        self.listener.close()
        try:
            await self.drain()
        except Exception:
            logger.exception("the stop was not clean")
        for protocol in list(self.connections):
            if isinstance(protocol, Socket) and protocol.state == protocol.STATE_OPEN:
                protocol.sendClose(code=SOCKET_RESTARTING)
        await self.cancel_applications()

    async def cancel_applications(self) -> None:
        """Let requests finish, then cancel those that do not end by themselves: streams.

        Connections that wait for their next request have no application.
        """
        found = [details.get("application_instance") for details in self.connections.values()]
        running = [instance for instance in found if instance is not None]
        if not running:
            return
        _, endless = await asyncio.wait(running, timeout=FINISH_SECONDS)
        for instance in endless:
            instance.cancel()
        if endless:
            await asyncio.wait(endless, timeout=CANCEL_SECONDS)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send one message of an application, and wait until its reader can take more."""
        await super().handle_reply(protocol, message)
        flow = getattr(protocol, "flow", None)
        if flow is not None and not await flow.wait():
            logger.warning("a reader that took nothing was cut off")
            protocol.cut_off()


def drop(event: Any) -> None:
    """Twisted's own log repeats what ours says."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on ``host`` and ``port``. Connections wait until they are accepted.

    Raises:
        OSError: the address is taken, or is not one of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
