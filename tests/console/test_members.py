"""Members: adding, changing, removing, and the links that let them in."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.contract.roles import Role
from runs.models import Member
from tests.console.pages import says
from tests.console.test_roles import sign_in
from tests.factories import make_project


def add(client: Client, username: str, role: str):
    return client.post("/console/members/", {"username": username, "role": role})


def test_a_new_member_comes_in_by_the_link_that_is_shown_once(operator, nobody, project):
    made = add(operator, " ana ", "operator")
    link = re.search(r"http\S+/console/enter/#[\w-]+", made.content.decode())
    assert link is not None
    assert "no-store" in made["Cache-Control"]
    assert nobody.post("/console/enter/", {"token": link[0]}).status_code == 302
    assert nobody.get("/console/runs/new/").status_code == 200
    assert nobody.get("/console/members/").status_code == 403
    user = Member.objects.get().user
    assert (user.username, user.is_staff, user.has_usable_password()) == ("ana", False, False)
    assert link[0] not in operator.get("/console/members/").content.decode()


@pytest.mark.parametrize(
    ("username", "role", "why"),
    [
        ("", "reader", "This field is required."),
        ("an a", "reader", "Enter a valid username."),
        ("a\0", "reader", "Null characters are not allowed."),
        ("ana", "instance", "Select a valid choice."),
        ("admin", "reader", "“admin” may do everything here already."),
    ],
)
def test_who_cannot_be_a_member(operator, project, username, role, why):
    response = add(operator, username, role)
    assert response.status_code == 422
    assert why in says(response)
    assert Member.objects.count() == 0


def test_nobody_is_a_member_twice(operator, project):
    add(operator, "ana", "reader")
    response = add(operator, "ana", "admin")
    assert response.status_code == 422
    assert "“ana” is in this project already." in says(response)
    assert Member.objects.get().role == Role.READER


def test_a_switched_off_user_stays_out(operator, nobody, project):
    made = add(operator, "ana", "reader").content.decode()
    User.objects.filter(username="ana").update(is_active=False)
    token = re.findall(r"#([\w-]{40,})", made)[0]
    response = nobody.post("/console/enter/", {"token": token})
    assert response.status_code == 400
    assert "switched off" in says(response)
    Member.objects.all().delete()
    assert "“ana” is switched off." in says(add(operator, "ana", "reader"))


def test_a_role_is_changed_and_a_member_removed(operator, project):
    add(operator, "ana", "reader")
    member = Member.objects.get()
    path = f"/console/members/{member.number}/"
    assert "“ana” is now operator" in says(operator.post(path, {"role": "operator"}, follow=True))
    assert "There is no role “owner”." in says(operator.post(path, {"role": "owner"}, follow=True))
    member.refresh_from_db()
    assert member.role == Role.OPERATOR
    assert "no longer in this project" in says(operator.post(path, {"remove": "1"}, follow=True))
    assert Member.objects.count() == 0
    assert operator.post(path, {"remove": "1"}).status_code == 404


def test_a_member_of_another_project_is_not_there(operator, project):
    user = User.objects.create_user("ana")
    member = Member.objects.create(project=make_project(), user=user, role=Role.READER)
    for tail in ("", "link/"):
        path = f"/console/members/{member.number}/{tail}"
        assert operator.post(path, {"role": "admin"}).status_code == 404


def test_an_admin_adds_nobody_from_a_project_they_do_not_administer(project):
    admin, other = sign_in(project, Role.ADMIN), make_project()
    user = User.objects.create_user("ana")
    Member.objects.create(project=other, user=user, role=Role.READER)
    refused = add(admin, "ana", "reader")
    assert refused.status_code == 422
    assert "in a project in which you are no admin" in says(refused)
    Member.objects.create(project=other, user=User.objects.get(username="a admin"), role=Role.ADMIN)
    assert "/console/enter/#" in says(add(admin, "ana", "reader"))


def test_an_admin_makes_no_link_into_a_project_they_do_not_administer(project):
    admin, other = sign_in(project, Role.ADMIN), make_project()
    user = User.objects.create_user("ana")
    member = Member.objects.create(project=project, user=user, role=Role.READER)
    path = f"/console/members/{member.number}/link/"
    assert "/console/enter/#" in says(admin.post(path))
    Member.objects.create(project=other, user=user, role=Role.READER)
    response = admin.post(path)
    assert "/console/enter/#" not in says(response)
    assert "No login link was made." in says(response)


def test_whoever_is_let_in_anew_begins_without_what_others_may_hold(operator, nobody, project):
    token = re.findall(r"#([\w-]{40,})", add(operator, "ana", "reader").content.decode())[0]
    user = User.objects.get(username="ana")
    user.set_password("a password somebody else knows")
    user.save()
    nobody.force_login(user)
    member = Member.objects.get()
    operator.post(f"/console/members/{member.number}/", {"remove": "1"})
    assert "used already" in says(Client().post("/console/enter/", {"token": token}))
    add(operator, "ana", "admin")
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert nobody.get("/console/").status_code == 302  # the old session
