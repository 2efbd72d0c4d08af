"""Who gets in, how, and who does not."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import LoginLink
from runs.operations import make_login_link
from tests.console.pages import says
from tests.factories import make_run, make_thread

PASSWORD = "a long enough password"


def test_looking_at_a_login_link_does_not_use_it_up(nobody, project):
    token = make_login_link()
    assert nobody.get("/console/enter/").status_code == 200
    response = nobody.post("/console/enter/", {"token": token})
    assert response.status_code == 302
    assert response["location"] == "/console/"
    assert nobody.get("/console/runs/").status_code == 200
    assert User.objects.get().has_usable_password() is False


def test_the_whole_link_can_be_pasted(nobody, project):
    link = f"http://127.0.0.1:8000/console/enter/#{make_login_link()}"
    assert nobody.post("/console/enter/", {"token": link}).status_code == 302


def test_a_login_link_works_once(nobody, project):
    token = make_login_link()
    nobody.post("/console/enter/", {"token": token})
    second = Client().post("/console/enter/", {"token": token})
    assert second.status_code == 400
    assert "used already" in says(second)
    assert LoginLink.objects.filter(digest__contains=token).count() == 0


def test_whoever_is_in_may_open_their_used_link_again(nobody, project):
    token = make_login_link()
    nobody.post("/console/enter/", {"token": token})
    assert nobody.post("/console/enter/", {"token": token})["location"] == "/console/"


@pytest.mark.parametrize(
    ("form", "page"),
    [
        ("threads/{thread}/messages/", "threads/{thread}/"),
        ("threads/{thread}/runs/{run}/outputs/", "threads/{thread}/runs/{run}/"),
        ("threads/{thread}/runs/{run}/cancel/", "threads/{thread}/runs/{run}/"),
        ("keys/key_1/revoke/", "keys/"),
        ("members/1/", "members/"),
        ("members/1/link/", "members/"),
        ("projects/choose/", "projects/"),
    ],
)
def test_a_reload_of_a_refused_form_shows_its_page(operator, project, form, page):
    run = make_run(make_thread(project))
    names = {"thread": run.thread_id, "run": run.id}
    response = operator.get(f"/console/{form.format(**names)}")
    assert (response.status_code, response["location"]) == (302, f"/console/{page.format(**names)}")
    assert operator.put(f"/console/{form.format(**names)}").status_code == 405
    assert operator.get(response["location"]).status_code == 200


def test_a_session_begins_with_a_new_key(nobody, project):
    nobody.get("/console/login/")
    before = nobody.session.session_key
    nobody.post("/console/enter/", {"token": make_login_link()})
    assert nobody.session.session_key != before


def test_the_password_lets_in_and_a_wrong_one_does_not(nobody, project):
    User.objects.create_superuser("admin", password=PASSWORD)
    wrong = nobody.post("/console/login/", {"username": "admin", "password": "wrong"})
    unknown = nobody.post("/console/login/", {"username": "eve", "password": "wrong"})
    assert "No active operator" in says(wrong)
    assert "No active operator" in says(unknown)
    right = nobody.post(
        "/console/login/", {"username": "admin", "password": PASSWORD, "next": "/console/keys/"}
    )
    assert right["location"] == "/console/keys/"


def test_sign_in_does_not_lead_off_the_server(nobody, project):
    User.objects.create_superuser("admin", password=PASSWORD)
    response = nobody.post(
        "/console/login/",
        {"username": "admin", "password": PASSWORD, "next": "https://evil.example/"},
    )
    assert response["location"] == "/console/"


def test_a_user_of_no_project_sees_nothing(nobody, project):
    nobody.force_login(User.objects.create_user("guest"))
    response = nobody.get("/console/runs/")
    assert response.status_code == 403
    assert "You are in no project." in says(response)


def test_signing_out_ends_the_session(operator):
    assert operator.get("/console/logout/").status_code == 405
    assert operator.post("/console/logout/").status_code == 302
    assert operator.get("/console/runs/").status_code == 302


def test_setting_a_password_keeps_this_session_and_ends_others(operator):
    other = Client()
    other.force_login(User.objects.get())
    short = operator.post(
        "/console/password/", {"new_password1": "short", "new_password2": "short"}
    )
    assert short.status_code == 422
    response = operator.post(
        "/console/password/", {"new_password1": PASSWORD, "new_password2": PASSWORD}
    )
    assert response.status_code == 302
    assert User.objects.get().check_password(PASSWORD)
    assert operator.get("/console/runs/").status_code == 200
    assert other.get("/console/runs/").status_code == 302


def test_a_password_is_changed_by_who_knows_it(operator):
    fields = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    operator.post("/console/password/", fields)
    other = "another long enough one"
    fields = {"new_password1": other, "new_password2": other}
    for old in ("", "wrong"):
        refused = operator.post("/console/password/", fields | {"old_password": old})
        assert refused.status_code == 422
    operator.post("/console/password/", fields | {"old_password": PASSWORD})
    assert User.objects.get().check_password(other)


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
def test_the_theme_is_rendered_from_its_cookie(operator, theme):
    response = operator.post("/console/theme/", {"theme": theme, "next": "/console/keys/"})
    assert response["location"] == "/console/keys/"
    page = operator.get("/console/runs/").content.decode()
    assert ('data-theme="' in page) is (theme != "system")


def test_a_wrong_theme_changes_nothing_and_leads_nowhere(operator):
    response = operator.post("/console/theme/", {"theme": '"><x', "next": "//evil.example"})
    assert response["location"] == "/console/"
    assert "theme" not in response.cookies


def pages(run):
    base = f"/console/threads/{run.thread_id}/"
    return {
        "get": [
            "/console/", "/console/runs/", "/console/runs/live/", "/console/runs/new/",
            "/console/go/",
            f"/console/r/{run.id}/", "/console/threads/", base, f"{base}runs/{run.id}/",
            "/console/keys/", "/console/password/", "/console/members/", "/console/projects/",
        ],
        "post": [
            "/console/runs/bulk/", "/console/runs/export/", "/console/runs/views/",
            "/console/runs/views/1/", "/console/runs/new/", f"{base}messages/",
            f"{base}runs/{run.id}/cancel/", f"{base}runs/{run.id}/outputs/",
            "/console/keys/", "/console/keys/key_x/revoke/",
            "/console/projects/", "/console/projects/choose/", "/console/password/",
            "/console/members/", "/console/members/1/", "/console/members/1/link/",
        ],
    }  # fmt: skip


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_is_sent_to_sign_in_and_back(nobody, project, method):
    run = make_run()
    for path in pages(run)[method]:
        response = getattr(nobody, method)(path)
        assert response.status_code == 302, path
        assert response["location"] == f"/console/login/?next={path}"


def test_a_form_sent_by_script_without_a_session_is_answered_401(nobody, project):
    run = make_run()
    for path in pages(run)["post"]:
        response = nobody.post(path, headers={"HX-Request": "true"})
        assert response.status_code == 401, path
        assert response.content == b"Sign in again."


def test_every_form_needs_its_csrf_token(operator, project):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    paths = [*pages(make_run())["post"], "/console/theme/", "/console/logout/", "/console/enter/"]
    for path in paths:
        response = strict.post(path)
        assert response.status_code == 403, path
        assert "kept in this browser tab" in says(response)
