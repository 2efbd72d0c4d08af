"""Projects, keys and login links."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs import operations
from runs.contract import keys
from runs.contract.errors import BadRequest
from runs.models import ApiKey, LoginLink, Project
from tests.factories import make_key, make_project

pytestmark = pytest.mark.django_db

OWN = "my-own-key-of-some-forty-characters-0000"
OTHER = "another-key-of-some-forty-characters-000"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_names_of_projects(name):
    with pytest.raises(BadRequest) as refused:
        operations.create_project(name)
    assert refused.value.param == "name"


def test_a_projects_name_is_taken_once():
    operations.create_project(" North ")
    with pytest.raises(BadRequest, match="There is a project named 'North' already"):
        operations.create_project("North")
    assert Project.objects.count() == 1


def test_a_key_is_found_by_its_text_and_stored_only_as_a_digest():
    project = make_project()
    key, plaintext = operations.create_key(project, "laptop")
    found = operations.find_key(plaintext)
    assert (found, found.project) == (key, project)
    stored = " ".join(str(value) for value in ApiKey.objects.values().get().values())
    assert plaintext not in stored
    assert keys.digest(plaintext) in stored


@pytest.mark.parametrize(
    "plaintext",
    ["", "x", OWN, keys.make_key(), "é\ud800\0"],
    ids=["empty", "short", "of our own", "as made here", "no text"],
)
def test_an_unknown_key(plaintext):
    make_key()
    assert operations.find_key(plaintext) is None


def test_a_mistyped_key_costs_no_query(django_assert_num_queries):
    plaintext = make_key()[1]
    with django_assert_num_queries(0):
        assert operations.find_key(plaintext[:-1] + ("a" if plaintext[-1] != "a" else "b")) is None


def test_a_revoked_key_is_useless_at_once_and_for_good():
    key, plaintext = make_key()
    first = operations.revoke_key(key).revoked_at
    assert operations.find_key(plaintext) is None
    assert operations.revoke_key(ApiKey.objects.get()).revoked_at == first
    assert ApiKey.objects.get().name == "test"


def test_use_is_noted_once_a_minute(django_assert_num_queries):
    key, plaintext = make_key()
    operations.find_key(plaintext)
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        operations.find_key(plaintext)
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    operations.find_key(plaintext)
    assert ApiKey.objects.get().last_used_at >= first
    assert key.number == ApiKey.objects.get().number


def test_the_environments_key():
    key = operations.set_environment_key(OWN)
    assert operations.find_key(OWN) == key
    assert key.project.name == "default"
    assert operations.set_environment_key(OWN) == key
    assert ApiKey.objects.count() == 1


def test_a_new_environment_key_replaces_the_old_one_and_no_other():
    _, plaintext = operations.create_key(make_project(), "kept")
    operations.set_environment_key(OWN)
    operations.set_environment_key(OTHER)
    assert operations.find_key(OWN) is None
    assert operations.find_key(OTHER) is not None
    assert operations.find_key(plaintext) is not None


def test_an_earlier_environment_key_may_come_back():
    for key in (OWN, OTHER, OWN):
        operations.set_environment_key(key)
    assert operations.find_key(OWN) is not None
    assert operations.find_key(OTHER) is None


def test_a_short_environment_key_is_refused():
    with pytest.raises(BadRequest, match="at least 32 characters"):
        operations.set_environment_key("x" * 31)


def test_a_generated_key_may_be_given_by_the_environment_too():
    key, plaintext = make_key()
    assert operations.set_environment_key(plaintext) == key
    assert not ApiKey.objects.get().from_environment


def test_a_revoked_generated_key_does_not_come_back_by_the_environment():
    key, plaintext = make_key()
    operations.revoke_key(key)
    with pytest.raises(BadRequest, match="revoked"):
        operations.set_environment_key(plaintext)
    assert operations.find_key(plaintext) is None


def test_an_environment_key_that_a_person_revoked_does_not_come_back():
    operations.revoke_key(operations.set_environment_key(OWN))
    with pytest.raises(BadRequest, match="revoked"):
        operations.set_environment_key(OWN)
    assert operations.find_key(OWN) is None


def test_a_login_link_works_once_and_makes_the_operator():
    token = operations.make_login_link()
    user = operations.use_login_link(token)
    assert (user.username, user.is_superuser, user.has_usable_password()) == ("admin", True, False)
    with pytest.raises(BadRequest, match="used already"):
        operations.use_login_link(token)
    assert operations.use_login_link(operations.make_login_link()) == user
    assert User.objects.count() == 1


def test_the_token_of_a_link_is_not_stored():
    token = operations.make_login_link()
    assert token not in str(LoginLink.objects.values().get())


@pytest.mark.parametrize("token", ["", "x", "é\ud800"])
def test_an_unknown_link(token):
    with pytest.raises(BadRequest):
        operations.use_login_link(token)
    assert not User.objects.exists()


def test_an_old_link():
    token = operations.make_login_link()
    LoginLink.objects.update(expires_at=timezone.now())
    with pytest.raises(BadRequest, match="older than ten minutes"):
        operations.use_login_link(token)


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_of_one_link_one_gets_in(race):
    token = operations.make_login_link()
    done = race(*[lambda: operations.use_login_link(token) for _ in range(8)])
    assert len(done.results) == 1
    assert [type(fault) for fault in done.faults] == [BadRequest] * 7


def test_links_are_needed_until_somebody_has_a_password():
    assert operations.needs_login_link()
    user = operations.use_login_link(operations.make_login_link())
    assert operations.needs_login_link()
    user.set_password("a long password")
    user.save()
    assert not operations.needs_login_link()
