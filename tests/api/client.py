"""How the tests of this folder call the API: as a program with a key does."""

import json
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client

from runs.models import Project
from tests.factories import make_key

JSON = "application/json"
REPLAYED = "Idempotent-Replayed"


def raw(body: Any) -> bytes:
    """A body as it is sent: bytes as they are, None as nothing, all else as JSON."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


class Api:
    """One project's program. ``plaintext`` is its key; paths begin with ``/v1``."""

    def __init__(self, project: Project, plaintext: str = ""):
        self.project = project
        self.plaintext = plaintext or make_key(project)[1]
        self.client = Client(raise_request_exception=False)
        self.async_client = AsyncClient(raise_request_exception=False)

    def headers(self, given: dict[str, str]) -> dict[str, str]:
        """The headers that an SDK sends."""
        return {
            "Authorization": f"Bearer {self.plaintext}",
            "OpenAI-Beta": "assistants=v2",
            "Accept": JSON,
        } | given

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Any request. Header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer: HttpResponse = self.client.generic(
            method, path, raw(body), content_type=JSON, headers=self.headers(named)
        )
        return answer

    def get(self, path: str, **headers: str) -> HttpResponse:
        """GET."""
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """POST."""
        return self.call("POST", path, body, **headers)

    def delete(self, path: str) -> HttpResponse:
        """DELETE."""
        return self.call("DELETE", path)

    async def acall(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> HttpResponseBase:
        """Any request, on the test's own loop."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer: HttpResponseBase = await self.async_client.generic(
            method, path, raw(body), content_type=JSON, headers=self.headers(named)
        )
        return answer


def error_of(answer: HttpResponse, status: int) -> dict[str, Any]:
    """The error of an answer in the API's shape, which is checked."""
    assert answer.status_code == status, answer.content
    assert answer["content-type"] == JSON
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    return body["error"]


def check_busy(answer: HttpResponse) -> None:
    """The answer says that the database could not take the call, and when to try again."""
    assert error_of(answer, 503) == {
        "message": "The server is busy. Try again in a moment.",
        "type": "server_error",
        "param": None,
        "code": "server_busy",
    }
    assert answer["retry-after"] == "1"
    assert "x-should-retry" not in answer


def ok(answer: HttpResponse) -> dict[str, Any]:
    """The wire object of a good answer."""
    assert answer.status_code == 200, answer.content
    assert answer["content-type"] == JSON
    body: dict[str, Any] = answer.json()
    return body
