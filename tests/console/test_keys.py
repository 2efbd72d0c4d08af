"""The keys of a project."""

import re

from runs.models import ApiKey
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
