"""Passwords cannot be guessed without end, in the console and in the admin."""

import threading

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connection
from django.test import Client

from runs.console import tries
from runs.operations import make_login_link
from tests.console.pages import says

PASSWORD = "a long enough password"
PAGES = ["/console/login/", "/admin/login/"]


@pytest.fixture(autouse=True)
def uncounted():
    """Nobody has tried anything yet."""
    caches["tries"].clear()
    yield
    caches["tries"].clear()


@pytest.fixture
def admin(project):
    return User.objects.create_superuser("admin", password=PASSWORD)


def attempt(page, password="wrong", name="admin", address="192.0.2.1", client=None):
    client = client or Client()
    return client.post(page, {"username": name, "password": password}, REMOTE_ADDR=address)


def wrong_ones(page, count, **more):
    return [attempt(page, **more).status_code for _ in range(count)]


@pytest.mark.parametrize("page", PAGES)
def test_after_five_wrong_ones_the_right_one_has_to_wait(admin, page):
    with time_machine.travel(0, tick=False) as clock:
        assert wrong_ones(page, 6) == [200] * 5 + [429]
        refused = attempt(page, PASSWORD)
        assert refused.status_code == 429
        assert refused["Retry-After"] == "900"
        assert "Too many attempts" in says(refused)
        assert "Try again in 15 minutes." in says(refused)
        assert "login_link" in says(refused)
        clock.shift(899)
        assert attempt(page, PASSWORD).status_code == 429
        clock.shift(2)
        assert attempt(page, PASSWORD).status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_other_names_and_other_addresses_are_not_held_up(admin, page):
    wrong_ones(page, 6)
    User.objects.create_superuser("eve", password=PASSWORD)
    assert attempt(page, PASSWORD, name="eve").status_code == 302
    assert attempt(page, PASSWORD, address="192.0.2.2").status_code == 302
    assert attempt(page, PASSWORD).status_code == 429


def test_a_header_is_no_other_address(admin):
    wrong_ones(PAGES[0], 6)
    client = Client(headers={"X-Forwarded-For": "192.0.2.9"})
    assert attempt(PAGES[0], PASSWORD, client=client).status_code == 429


def test_console_and_admin_count_together(admin):
    assert wrong_ones(PAGES[0], 3) + wrong_ones(PAGES[1], 3) == [200] * 5 + [429]


@pytest.mark.parametrize("name", ["ADMIN", " admin ", "\uff41dmin"])
def test_another_spelling_is_no_other_name(admin, name):
    assert wrong_ones(PAGES[0], 5) == [200] * 5
    assert attempt(PAGES[0], name=name).status_code == 429


def test_the_right_one_ends_the_count(admin):
    for _ in range(3):
        assert wrong_ones(PAGES[0], 4) == [200] * 4
        assert attempt(PAGES[0], PASSWORD).status_code == 302


def test_somebody_who_is_in_cannot_end_the_count_of_another(admin):
    """The page leads those on who are signed in, whatever they post."""
    eve = Client()
    eve.force_login(User.objects.create_superuser("eve", password=PASSWORD))
    assert wrong_ones(PAGES[0], 4) == [200] * 4
    assert attempt(PAGES[0], client=eve).status_code == 302
    assert attempt(PAGES[0]).status_code == 429


@pytest.mark.slow
def test_names_cannot_be_tried_without_end_either(admin):
    codes = [attempt(PAGES[0], name=f"user {n}").status_code for n in range(31)]
    assert codes == [200] * 30 + [429]
    refused = attempt(PAGES[0], PASSWORD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert attempt(PAGES[0], PASSWORD, address="192.0.2.2").status_code == 302


def test_the_page_itself_and_login_links_are_never_refused(admin):
    wrong_ones(PAGES[0], 6)
    client = Client(REMOTE_ADDR="192.0.2.1")
    assert client.get(PAGES[0]).status_code == 200
    assert client.post("/console/enter/", {"token": make_login_link()}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_no_way_around(admin):
    go, codes = threading.Barrier(20), []

    def trying():
        go.wait()
        codes.append(attempt(PAGES[0]).status_code)
        connection.close()

    threads = [threading.Thread(target=trying) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] * tries.OF_NAME + [429] * (20 - tries.OF_NAME)
