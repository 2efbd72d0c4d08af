"""Every page and form of the console asks for the role that the table says, and no more."""

import itertools
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from runs.console.urls import urlpatterns
from runs.contract.roles import GIVEN, NEEDS, Role
from runs.models import Member, Project
from runs.operations import set_output_schema
from tests.console.pages import says, url
from tests.factories import make_key, make_project, make_run, make_step, make_thread

#: Routes before the sign-in, or of everybody.
OPEN = {"enter", "login", "logout", "theme"}
ROUTES = {pattern.name: pattern for pattern in urlpatterns if pattern.name not in OPEN}
SOCKETS = {name for name in NEEDS if name.endswith("-socket")}


def sign_in(project: Project, role: Role | None) -> Client:
    """The browser of somebody of this role in ``project``."""
    user = User.objects.create_user(f"a {role}", is_staff=role == Role.INSTANCE)
    if role in GIVEN:
        Member.objects.create(project=project, user=user, role=role)
    client = Client(headers={"accept": "text/html"})
    client.force_login(user)
    return client


def addresses(project: Project) -> Iterator[tuple[str, str]]:
    """Name and address of every route, with ids of things that exist in ``project``."""
    other = Member.objects.create(
        project=project, user=User.objects.create_user("somebody"), role=Role.READER
    )
    run = make_run(make_thread(project))
    ids = {
        "step_id": make_step(run).id,
        "place": "message",
        "form": "json",
        "run_id": run.id,
        "thread_id": run.thread_id,
        "key_id": make_key(project)[0].id,
        "number": other.number,
        "schema_number": set_output_schema(project, "get_weather", {}).number,
        "assistant_id": run.assistant_id,
        "version": 1,
    }
    for name, pattern in ROUTES.items():
        given = {argument: ids[argument] for argument in pattern.pattern.converters}
        yield name, reverse(f"console:{name}", kwargs=given)


def test_every_route_is_in_the_table():
    assert set(ROUTES) | SOCKETS == set(NEEDS)
    assert OPEN.isdisjoint(NEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("role", [*Role, None])
def test_each_role_gets_what_the_table_says(project, role):
    client = sign_in(project, role)
    for (name, address), method in itertools.product(addresses(project), ("get", "post")):
        needed = getattr(NEEDS[name], method)
        # The address of a form sends GET on to the page with the form.
        status = getattr(client, method)(address, follow=method == "get").status_code
        if needed is None:
            assert status in (405, 403), (name, method)
        else:
            allowed = role is not None and role.covers(needed)
            assert (status != 403) is allowed, (name, method, status)


def test_a_form_sent_by_script_is_told_why(project):
    run = make_run(make_thread(project))
    reader = sign_in(project, Role.READER)
    response = reader.post(url(run, "cancel/"), headers={"HX-Request": "true"})
    assert response.status_code == 403
    assert response.content.decode() == (
        "Your role in this project is reader. This needs the role operator."
    )


def test_a_reader_sees_no_button(project):
    run = make_run(make_thread(project), "requires_action")
    reader, operator = sign_in(project, Role.READER), sign_in(project, Role.OPERATOR)
    for word in ("Cancel run", "Send the output"):
        assert word not in says(reader.get(url(run)))
        assert word in says(operator.get(url(run)))
    assert "Answering them needs the role operator" in says(reader.get(url(run)))
    page = f"/console/threads/{run.thread_id}/"
    assert "Add a message" not in says(reader.get(page))
    assert "Add a message" in says(operator.get(page))
    for word in ("New run", "Keys", "Members"):
        assert word not in says(reader.get("/console/runs/"))


def test_the_things_of_another_project_are_not_there(project):
    foreign = make_run(make_thread(make_project()))
    admin = sign_in(project, Role.ADMIN)
    for path in (
        url(foreign),
        f"/console/r/{foreign.id}/",
        f"/console/threads/{foreign.thread_id}/",
    ):
        assert admin.get(path).status_code == 404
    for tail in ("cancel/", "outputs/"):
        assert admin.post(url(foreign, tail)).status_code == 404


def test_a_project_that_somebody_is_not_in_cannot_be_chosen(project):
    other = make_project("other")
    admin = sign_in(project, Role.ADMIN)
    admin.post("/console/projects/choose/", {"project": other.id})
    said = says(admin.get("/console/projects/"))
    assert project.name in said
    assert "other" not in said


def test_a_role_is_lost_at_once(project):
    reader = sign_in(project, Role.READER)
    assert reader.get("/console/runs/").status_code == 200
    Member.objects.all().delete()
    assert reader.get("/console/runs/").status_code == 403
