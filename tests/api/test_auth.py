"""Keys: who is let in, and how little that costs."""

import pytest
from django.utils import timezone

from runs.contract import keys
from runs.models import ApiKey
from tests.api.client import Api, error_of, ok
from tests.factories import make_key, make_project

LIST = "/v1/assistants"


def test_a_key_opens_its_project(api):
    assert ok(api.get(LIST))["data"] == []


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_has_no_case(api, scheme):
    ok(api.get(LIST, Authorization=f"{scheme}   {api.plaintext} "))


def test_azure_clients_send_it_in_a_header_of_their_own(api):
    ok(api.get(LIST, Authorization="", api_key=api.plaintext))
    assert error_of(api.get(LIST, Authorization="", api_key="wrong"), 401)["code"]
    ok(api.get(LIST, api_key="wrong"))  # Authorization counts


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "{key}", "Token {key}"])
def test_no_key(api, header):
    error = error_of(api.get(LIST, Authorization=header.format(key=api.plaintext)), 401)
    assert error == {
        "message": "You didn't provide an API key. You need to provide your API key in an "
        "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    "plaintext", ["Q", "sk-proj-0123456789abcdefghij", "ключ", "é" * 40, "\x7f" * 20, "x" * 5000]
)
def test_unknown_keys(api, plaintext):
    header = f"Bearer {plaintext}".encode().decode("latin-1")
    error = error_of(api.get(LIST, Authorization=header), 401)
    assert error["code"] == "invalid_api_key"
    assert plaintext not in error["message"]


def test_a_mistyped_key_of_ours_costs_no_query(api, django_assert_num_queries):
    wrong = api.plaintext[:-1] + ("a" if api.plaintext[-1] != "a" else "b")
    with django_assert_num_queries(0):
        error = error_of(api.get(LIST, Authorization=f"Bearer {wrong}"), 401)
    assert error["message"].startswith(f"Incorrect API key provided: {keys.mask(wrong)}")


def test_a_revoked_key_is_wrong_at_once(api):
    ok(api.get(LIST))
    ApiKey.objects.update(revoked_at=timezone.now())
    assert error_of(api.get(LIST), 401)["code"] == "invalid_api_key"


def test_the_last_use_is_written_once_a_minute(api, django_assert_num_queries):
    with django_assert_num_queries(3):
        api.get(LIST)
    used = ApiKey.objects.get().last_used_at
    assert used is not None
    with django_assert_num_queries(2):
        api.get(LIST)
    assert ApiKey.objects.get().last_used_at == used


def test_the_beta_header_is_not_needed(api):
    ok(api.get(LIST, OpenAI_Beta=""))


def test_the_beta_header_can_be_demanded(api, settings):
    settings.RUNSITE_STRICT_BETA = True
    ok(api.get(LIST))
    for value in ("", "assistants=v1"):
        error = error_of(api.get(LIST, OpenAI_Beta=value), 400)
        assert error["code"] == "invalid_beta"
        assert error["message"].startswith("You must provide the 'OpenAI-Beta' header")


def test_headers_of_organisations_and_sdks_are_ignored(api):
    created = ok(api.post(LIST, {"model": "m"}))
    headers = {
        "OpenAI_Organization": "org-1",
        "OpenAI_Project": "proj_1",
        "X_Stainless_Lang": "python",
        "X_Stainless_Retry_Count": "1",
    }
    for given in ({}, headers, *({name: value} for name, value in headers.items())):
        assert ok(api.get(LIST, **given))["data"] == [created]


def test_a_key_is_good_for_its_project_alone(api):
    project = make_project()
    ok(api.post(LIST, {"model": "m"}))
    other = Api(project, make_key(project)[1])
    assert ok(other.get(LIST))["data"] == []
