"""The address that links begin with."""

import pytest
from django.test import RequestFactory

from runsite.address import absolute, base_url

PUBLIC = "https://runs.example.com"


def test_without_a_public_one_it_is_where_the_process_listens(settings):
    settings.RUNSITE_HOST, settings.RUNSITE_PORT = "127.0.0.1", 8001
    assert base_url() == "http://127.0.0.1:8001"
    settings.RUNSITE_HOST = "::1"
    assert base_url() == "http://[::1]:8001"
    settings.RUNSITE_HOST = "0.0.0.0"  # noqa: S104 - not listened on
    settings.ALLOWED_HOSTS = [".example.com", "localhost"]
    assert base_url() == "http://example.com:8001"


def test_the_first_trusted_origin_is_the_public_one(settings):
    settings.RUNSITE_TRUSTED_ORIGINS = ["https://*.example.com", f"{PUBLIC}/", "https://b.example"]
    assert base_url() == PUBLIC


@pytest.mark.parametrize(
    ("origins", "host", "expected"),
    [
        ([], "localhost:8000", "http://localhost:8000/v1"),
        ([PUBLIC], "runs.example.com", f"{PUBLIC}/v1"),
        ([PUBLIC], "localhost:8000", f"{PUBLIC}/v1"),
        ([PUBLIC, "http://localhost:8000"], "localhost:8000", "http://localhost:8000/v1"),
    ],
)
def test_links_have_the_name_that_was_asked_for_or_the_first(settings, origins, host, expected):
    """Behind TLS the request itself is plain."""
    settings.ALLOWED_HOSTS = ["localhost", "runs.example.com"]
    settings.RUNSITE_TRUSTED_ORIGINS = origins
    assert absolute(RequestFactory().get("/", headers={"host": host}), "/v1") == expected
