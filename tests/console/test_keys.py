"""Projects and their keys."""

import re

from runs.models import ApiKey, Project
from runs.operations import find_key
from tests.console.pages import says
from tests.factories import make_key, make_project


def test_a_key_is_shown_once(operator, project):
    made = operator.post("/console/keys/", {"name": "ci"})
    found = re.search(r"rsk_live_\w+", made.content.decode())
    assert found is not None
    assert find_key(found[0]).project_id == project.id
    assert "no-store" in made["Cache-Control"]
    again = operator.get("/console/keys/").content.decode()
    assert found[0] not in again
    assert ApiKey.objects.get().shown in again


def test_a_key_needs_a_name(operator):
    response = operator.post("/console/keys/", {"name": " "})
    assert response.status_code == 422
    assert ApiKey.objects.count() == 0


def test_a_revoked_key_is_refused(operator, project):
    key, plaintext = make_key(project)
    response = operator.post(f"/console/keys/{key.id}/revoke/", follow=True)
    assert "The key “test” is revoked." in says(response)
    assert find_key(plaintext) is None


def test_a_key_of_another_project_cannot_be_revoked(operator):
    key, plaintext = make_key(make_project())
    assert operator.post(f"/console/keys/{key.id}/revoke/").status_code == 404
    assert find_key(plaintext) is not None


def test_a_new_project_is_worked_in_at_once(operator):
    said = says(operator.post("/console/projects/", {"name": "second"}, follow=True))
    assert "You now work in the project “second”." in said
    operator.post("/console/keys/", {"name": "its key"})
    assert ApiKey.objects.get().project.name == "second"


def test_a_project_name_is_taken_once(operator, project):
    response = operator.post("/console/projects/", {"name": project.name})
    assert response.status_code == 422
    assert "There is a project named" in says(response)
    assert Project.objects.count() == 1


def test_choosing_a_project(operator, project):
    other = make_project("other")
    make_key(other, name="only there")
    operator.post("/console/projects/choose/", {"project": other.id})
    assert "only there" in says(operator.get("/console/keys/"))
    operator.post("/console/projects/choose/", {"project": "proj_unknown"})
    assert "only there" in says(operator.get("/console/keys/"))


def test_the_first_visit_makes_a_project(operator):
    Project.objects.all().delete()
    assert operator.get("/console/").status_code == 200
    assert Project.objects.count() == 1
