"""What every answer carries, and which requests are refused before any view."""

import logging

import pytest
from django.test import AsyncClient, Client

from runs.contract import limits
from runsite import logs, pages
from runsite.middleware import POLICIES

PAGES = ["/", "/no-such-page", "/console/no-such-page", "/admin/login/"]
API = ["/v1/no-such", "/v1/threads/thread_x", "/threads/thread_x", "/readyz"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES + API)
def test_every_answer_has_an_id_and_the_security_headers(client: Client, path):
    response = client.get(path)
    assert response["x-request-id"].startswith("req_")
    assert len(response["x-request-id"]) == 36
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    nothing = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    assert response["Permissions-Policy"] == nothing
    assert "Server" not in response
    assert "default-src" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_policies_differ_by_area(client: Client):
    assert client.get("/v1/no-such")["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert client.get("/console/none")["Content-Security-Policy"] == POLICIES["console"]
    assert client.get("/admin/login/")["Content-Security-Policy"] == POLICIES["admin"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PAGES, *API, "/static/console/console.css"])
def test_a_foreign_host_is_refused_everywhere(client: Client, path):
    response = client.get(path, headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response["x-request-id"]
    if path in API:
        assert response.json()["error"] == {
            "message": "This host name is not served here. Add it to RUNSITE_ALLOWED_HOSTS.",
            "type": "invalid_request_error",
            "param": None,
            "code": "host_not_allowed",
        }


@pytest.mark.django_db
def test_a_declared_body_over_the_limit_is_413(client: Client):
    response = client.post(
        "/v1/threads",
        b"{}",
        content_type="application/json",
        headers={"content-length": str(limits.BODY_BYTES + 1)},
    )
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


@pytest.mark.django_db
def test_the_request_id_reaches_log_lines(client: Client, caplog):
    logging.getLogger("runsite.access").addFilter(filter_ := logs.ContextFilter())
    try:
        with caplog.at_level("INFO", logger="runsite.access"):
            response = client.get("/v1/no-such?key=secret")
    finally:
        logging.getLogger("runsite.access").removeFilter(filter_)
    (line,) = [record for record in caplog.records if record.name == "runsite.access"]
    assert line.request_id == response["x-request-id"]
    assert line.status == 404
    assert "secret" not in line.route


@pytest.mark.django_db
def test_unknown_routes_of_the_api_are_told_in_its_shape(client: Client):
    response = client.post("/v1/no-such")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Invalid URL (POST /v1/no-such)"
    response = client.get("/threads/x/no/such")
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.django_db
def test_a_page_post_without_its_token_is_refused():
    client = Client(enforce_csrf_checks=True)
    response = client.post("/admin/login/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert "session has ended" in response.content.decode()


class Counting:
    """Django's middleware methods, counted."""

    def __init__(self, monkeypatch):
        self.calls = []
        for cls, name in [
            (pages.sessions.SessionMiddleware, "process_request"),
            (pages.csrf.CsrfViewMiddleware, "process_request"),
            (pages.csrf.CsrfViewMiddleware, "process_view"),
            (pages.auth.AuthenticationMiddleware, "process_request"),
            (pages.common.CommonMiddleware, "process_request"),
        ]:
            self.count(monkeypatch, cls, name)

    def count(self, monkeypatch, cls, name):
        original = getattr(cls, name)

        def counted(*args, **kwargs):
            self.calls.append(f"{cls.__name__}.{name}")
            return original(*args, **kwargs)

        monkeypatch.setattr(cls, name, counted)


@pytest.mark.django_db(transaction=True)
async def test_the_api_passes_by_djangos_sync_middleware(monkeypatch):
    counting = Counting(monkeypatch)
    client = AsyncClient()
    assert (await client.get("/readyz")).status_code in (200, 503)
    assert counting.calls == []
    await client.get("/admin/login/")
    assert len(set(counting.calls)) == 5
