"""The tools of these tests do to their site what they say."""

import socket
import time

import psycopg
import pytest

from tests.chaos.proxy import Proxy
from tests.chaos.services import Postgres, Redis

pytestmark = pytest.mark.process


def test_services_stop_and_come_back_with_their_data() -> None:
    with Redis() as redis, Postgres() as postgres:
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        for service in (redis, postgres):
            service.stop()
            assert not service.answers()
            service.start()
            assert service.answers()
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]


def test_a_proxy_cuts_holds_slows_and_mends() -> None:
    with Redis() as redis, Proxy(redis.url) as proxy:
        with connected(proxy) as connection:
            assert ping(connection) == b"+PONG\r\n"
            proxy.delay = 0.2
            started = time.monotonic()
            ping(connection)
            assert time.monotonic() - started > 0.4
            proxy.mend()
            proxy.hold()
            with pytest.raises(TimeoutError):
                ping(connection)
            proxy.mend()
            assert connection.recv(100) == b"+PONG\r\n"
            proxy.cut()
            with pytest.raises(ConnectionError):
                ping(connection)
        with connected(proxy) as connection, pytest.raises(ConnectionError):
            ping(connection)
        proxy.mend()
        with connected(proxy) as connection:
            assert ping(connection) == b"+PONG\r\n"
            assert proxy.connections == 1


def connected(proxy: Proxy) -> socket.socket:
    """A connection to the proxy."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5)


def ping(connection: socket.socket) -> bytes:
    """The answer to a PING.

    Raises:
        TimeoutError, ConnectionError: there is none.
    """
    connection.sendall(b"PING\r\n")
    if answer := connection.recv(100):
        return answer
    raise ConnectionError
