"""Which pages may open a socket, and what becomes of sockets to nowhere."""

import logging

import pytest
from channels.testing import WebsocketCommunicator

from runsite.origin import allowed


def scope(origin=None, host="127.0.0.1:8000", **more):
    headers = []
    if host is not None:
        headers.append((b"host", host.encode()))
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"type": "websocket", "path": "/nope", "headers": headers, **more}


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_pages_of_this_server_may(origin, host):
    assert allowed(scope(origin, host))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "127.0.0.1:8000"),
        ("http://127.0.0.1:1234", "127.0.0.1:8000"),  # another program on this machine
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("https://127.0.0.1:8000", "127.0.0.1:8000"),
        ("null", "127.0.0.1:8000"),
        (None, "127.0.0.1:8000"),
        ("http://127.0.0.1:8000", None),
        # A name of the attacker's that resolves to 127.0.0.1:
        ("http://evil.example:8000", "evil.example:8000"),
    ],
)
def test_others_may_not(origin, host):
    assert not allowed(scope(origin, host))


def test_a_trusted_origin_may(settings):
    settings.RUNSITE_TRUSTED_ORIGINS = ["https://runs.example/"]
    settings.ALLOWED_HOSTS = ["runs.example"]
    assert allowed(scope("https://runs.example", "runs.example"))


def test_behind_tls_the_scheme_counts():
    assert allowed(scope("https://localhost", "localhost", scheme="wss"))
    assert not allowed(scope("http://localhost", "localhost", scheme="wss"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/nope", "/console/ws/nope/x", "/"])
async def test_a_socket_to_nowhere_is_closed_without_an_error(path, caplog):
    from runsite.asgi import application

    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    socket = WebsocketCommunicator(application, path, headers=headers)
    connected, code = await socket.connect(timeout=5)
    assert not connected
    assert code == 4404
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.django_db(transaction=True)
async def test_a_foreign_page_gets_no_socket():
    from runsite.asgi import application

    headers = [(b"host", b"localhost"), (b"origin", b"http://evil.example")]
    socket = WebsocketCommunicator(application, "/console/ws/run/", headers=headers)
    connected, code = await socket.connect(timeout=5)
    assert not connected
    assert code == 4403
