"""Somebody signed in, and the project they work in."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.console import attention
from runs.models import Project
from tests.factories import make_project


@pytest.fixture(autouse=True)
def fresh_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of the navigation, shared for a second otherwise, cost each page a query."""
    monkeypatch.setattr(attention, "FRESH", 0)


@pytest.fixture
def project(db) -> Project:
    return make_project("ours")


@pytest.fixture
def operator(project: Project) -> Client:
    """A browser in which the superuser is signed in. ``project`` is the oldest, so theirs."""
    client = Client(headers={"accept": "text/html"})
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.fixture
def nobody(db) -> Client:
    """A browser in which nobody is signed in."""
    return Client()
