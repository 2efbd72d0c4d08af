"""Who gets into the admin: superusers, and nobody else."""

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.test import Client

from runs.models import Cleanup, Thread
from tests.admin.pages import listing
from tests.factories import make_thread

POSTS = ["begin", "stop", "cancel-first"]
PAGES = ["", "leftovers/", "storage/"]


@pytest.fixture(params=["nobody", "person", "staff"])
def stranger(request, project):
    """A browser of somebody who is no superuser, all of Django's permissions or not."""
    client = Client()
    if request.param != "nobody":
        user = User.objects.create_user("stranger", is_staff=request.param == "staff")
        for app in apps.get_app_configs():
            create_permissions(app, verbosity=0)
        user.user_permissions.set(Permission.objects.all())
        assert user.has_perm("runs.delete_thread")
        client.force_login(user)
    return client


def test_strangers_get_nothing(stranger, project):
    thread = make_thread(project)
    cleanup = Cleanup.objects.create(verb="erase", chosen=[thread.number])
    addresses = ["/admin/", listing(Thread), f"{listing(Thread)}{thread.number}/change/"]
    addresses += [f"/admin/runs/cleanup/{page}" for page in PAGES]
    addresses += [f"/admin/runs/cleanup/{cleanup.number}/change/"]
    for address in addresses:
        answer = stranger.get(address)
        assert answer.status_code == 302, address
        assert answer["location"].startswith("/admin/login/")
    posts = [f"/admin/runs/cleanup/{cleanup.number}/{name}/" for name in POSTS]
    posts += [f"/admin/runs/cleanup/{name}/" for name in ("leftovers/repair", "storage/compact")]
    for address in [*posts, listing(Thread)]:
        answer = stranger.post(address, {"kind": "links", "action": "erase", "typed": "1"})
        assert answer.status_code == 302, address
    assert Thread.objects.filter(id=thread.id).exists()
    cleanup.refresh_from_db()
    assert cleanup.standing == "planned"
    assert Cleanup.objects.count() == 1


def test_a_superuser_finds_the_ways_to_clean_up(operator):
    page = operator.get("/admin/").content.decode()
    for name in PAGES:
        assert f'href="/admin/runs/cleanup/{name}"' in page


@pytest.mark.parametrize("name", [*POSTS, "change"])
def test_what_is_done_needs_a_post_and_a_cleanup_that_is_there(operator, name):
    cleanup = Cleanup.objects.create(verb="erase")
    address = f"/admin/runs/cleanup/{cleanup.number}/{name}/"
    wrong = operator.post(address) if name == "change" else operator.get(address)
    assert wrong.status_code == 405
    missing = f"/admin/runs/cleanup/99/{name}/"
    answer = operator.get(missing) if name == "change" else operator.post(missing)
    assert answer.status_code == 404


def test_a_form_without_its_token_is_refused(project):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("admin"))
    cleanup = Cleanup.objects.create(verb="erase")
    assert client.post(f"/admin/runs/cleanup/{cleanup.number}/begin/").status_code == 403
