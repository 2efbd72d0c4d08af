"""What tests of served processes ask a server."""

import httpx

from tests.live import LiveServer


def get(server: LiveServer, path: str) -> httpx.Response:
    """What the server answers to its key."""
    return httpx.get(f"{server.url}{path}", headers=server.headers(), trust_env=False, timeout=10)
