"""Connections to one upstream, kept alive, for hundreds of turns at once.

httpx's own pool looks at every pair of its connections whenever a request begins or ends
(httpcore 1.0.9, ``_assign_requests_to_connections``): with 200 turns at once that took 1.4 ms of
the event loop per token, against 0.2 ms here. So each transport holds one connection, and which
one is free is known without looking.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

import httpx

MAX_IDLE = 50
IDLE_SECONDS = 30.0  # less than the usual 60 s and more of servers and load balancers
ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)


class Connections(httpx.AsyncBaseTransport):
    """Lends a connection to each request; how many there are at once is the engine's decision."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self.trust = trust
        self.idle: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.idle:
            # The other side may have closed an idle connection, even while this request was on its
            # way to it (llama.cpp does so after one stream in ten). Another one is tried at once.
            with suppress(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                return await self.lend(self.idle.pop(), request)
        fresh = httpx.AsyncHTTPTransport(verify=self.trust, trust_env=False, limits=ONE)
        return await self.lend(fresh, request)

    async def lend(
        self, connection: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        try:
            reply = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        return httpx.Response(
            reply.status_code,
            headers=reply.headers,
            stream=LentStream(cast("httpx.AsyncByteStream", reply.stream), self, connection),
            extensions=reply.extensions,
        )

    async def take_back(self, connection: httpx.AsyncHTTPTransport) -> None:
        """Keep a connection for the next request; one that was closed is opened again then."""
        if len(self.idle) < MAX_IDLE:
            self.idle.append(connection)
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        while self.idle:
            await self.idle.pop().aclose()


class LentStream(httpx.AsyncByteStream):
    """A reply's body, which gives its connection back when it is closed."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        owner: Connections,
        connection: httpx.AsyncHTTPTransport,
    ) -> None:
        self.stream = stream
        self.owner = owner
        self.connection: httpx.AsyncHTTPTransport | None = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.stream.__aiter__()

    async def aclose(self) -> None:
        connection, self.connection = self.connection, None
        try:
            await self.stream.aclose()
        except BaseException:  # cancelled while it closes: nobody else knows this connection
            if connection is not None:
                await connection.aclose()
            raise
        if connection is not None:
            await self.owner.take_back(connection)
