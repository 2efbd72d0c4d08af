"""Projects: which ones somebody sees, and the one they work in."""

from runs.models import ApiKey, Project
from tests.console.pages import says
from tests.factories import make_key, make_project


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
    assert operator.get("/console/runs/").status_code == 200
    assert Project.objects.count() == 1
