"""Answers given outside of Django, by the ASGI wrapper and by the server itself."""

import json
from uuid import uuid4

from runs.contract.errors import ApiError
from runsite.middleware import HEADERS, POLICIES

Headers = list[tuple[bytes, bytes]]


def answer(error: ApiError) -> tuple[int, Headers, bytes]:
    """Status, headers and body for ``error``; the connection is to be closed after it."""
    body = json.dumps(error.body()).encode()
    headers = {
        **HEADERS,
        **error.headers,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Content-Security-Policy": POLICIES["api"],
        "Cache-Control": "no-store",
        "Connection": "close",
        "x-request-id": f"req_{uuid4().hex}",
    }
    return error.status, [(n.lower().encode(), v.encode()) for n, v in headers.items()], body
