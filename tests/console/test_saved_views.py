"""Views of the list of runs: of one person in one project, opened by a link."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs import operations
from runs.contract.errors import NotFound
from runs.contract.roles import Role
from runs.models import Member, SavedView
from runs.operations.views import AT_MOST
from tests.console.pages import says
from tests.factories import make_project, make_run, make_thread

PATH = "/console/runs/views/"
FAILED = "status=failed&from=-24h"


def saved(client, name="Failures", query=FAILED):
    client.post(PATH, {"name": name, "query": query})
    return SavedView.objects.get(name=name)


@pytest.fixture(autouse=True)
def run(project):
    return make_run(make_thread(project), "failed")


def test_a_view_is_saved_and_opened(operator, project):
    answer = operator.post(PATH, {"name": " Failures ", "query": f"{FAILED}&by="}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/console/runs/?{FAILED}"
    assert "The view “Failures” is saved." in says(answer)
    page = operator.get("/console/runs/").content.decode()
    assert '<a href="/console/runs/?status=failed&amp;from=-24h">Failures</a>' in page
    shown = operator.get(f"/console/runs/?{FAILED}").content.decode()
    assert 'aria-current="true">Failures</a>' in shown
    assert "Save view" not in shown


def test_a_view_is_renamed_and_deleted(operator):
    view = saved(operator)
    operator.post(f"{PATH}{view.number}/", {"verb": "rename", "name": "Broken today"})
    assert "Broken today" in says(operator.get("/console/runs/"))
    answer = operator.post(f"{PATH}{view.number}/", {"verb": "delete"}, follow=True)
    assert "The view “Broken today” is deleted." in says(answer)
    assert not SavedView.objects.exists()


def test_a_view_that_another_tab_deleted_does_not_come_back(operator):
    view = saved(operator)
    operations.delete_view(SavedView.objects.get())
    with pytest.raises(NotFound):
        operations.rename_view(view, "Broken today")
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "", "query": FAILED}, "A view needs a name"),
        ({"name": "x" * 61, "query": FAILED}, "A view needs a name"),
        ({"name": "a\0b", "query": FAILED}, "A view needs a name"),
        ({"name": "Failures", "query": FAILED}, "There is a view “Failures” already."),
        ({"name": "New", "query": "state=x"}, "There is no filter “state”."),
    ],
)
def test_what_cannot_be_saved_is_told(operator, form, words):
    saved(operator)
    assert words in says(operator.post(PATH, form, follow=True))
    assert SavedView.objects.count() == 1


def test_a_taken_name_is_refused_when_renaming(operator):
    view, other = saved(operator), saved(operator, "Other", "status=expired")
    answer = operator.post(f"{PATH}{other.number}/", {"name": view.name}, follow=True)
    assert "There is a view “Failures” already." in says(answer)


def test_there_are_only_so_many(operator, project):
    user = User.objects.get()
    SavedView.objects.bulk_create(
        SavedView(project=project, user=user, name=f"v{n}", query="") for n in range(AT_MOST)
    )
    answer = operator.post(PATH, {"name": "one more", "query": FAILED}, follow=True)
    assert "as many as can be" in says(answer)


def test_views_are_of_one_person_and_one_project(operator, project):
    view = saved(operator)
    other = User.objects.create_user("other")
    Member.objects.create(project=project, user=other, role=Role.READER)
    client = Client()
    client.force_login(other)
    assert "Failures" not in says(client.get("/console/runs/"))
    assert client.post(f"{PATH}{view.number}/", {"verb": "delete"}).status_code == 404
    SavedView.objects.filter(number=view.number).update(project=make_project())
    assert operator.post(f"{PATH}{view.number}/", {"verb": "delete"}).status_code == 404
    assert SavedView.objects.count() == 1
    assert client.post(PATH, {"name": "Failures", "query": FAILED}, follow=True).status_code == 200


def test_a_hostile_name_is_shown_as_text(operator):
    saved(operator, "<script>alert(1)</script>")
    assert "<script>alert" not in operator.get("/console/runs/").content.decode()
