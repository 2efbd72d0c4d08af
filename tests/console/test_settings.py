"""Settings of a browser: the time zone, and whether single keys act."""

import re

import pytest

from runs.console.zones import zone_names
from tests.console.pages import says, url
from tests.factories import make_run, make_thread


def save(client, zone, **fields):
    return client.post("/console/settings/", {"zone": zone} | fields, follow=True)


def test_times_are_shown_in_the_chosen_zone(operator, project):
    run = make_run(make_thread(project), "completed")
    at = run.created_at
    assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in operator.get(url(run)).content.decode()
    assert "Times are shown in Asia/Kathmandu." in says(save(operator, "Asia/Kathmandu"))
    page = operator.get(url(run)).content.decode()
    assert re.search(r"\d\d:\d\d:\d\d \+0545", page)
    assert "Times in Asia/Kathmandu" in page


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "Europe/Oslo\0"])
def test_a_zone_that_there_is_not_changes_nothing(operator, zone):
    response = save(operator, zone)
    assert response.status_code == 422
    assert "There is no time zone" in says(response)
    operator.cookies["zone"] = zone
    assert "Times in UTC" in says(operator.get("/console/settings/"))


def test_zones_are_places_with_utc_first():
    assert zone_names()[0] == "UTC"
    assert {"Europe/Oslo", "America/New_York"} < set(zone_names())


def test_single_keys_can_be_switched_off(operator):
    assert 'data-shortcuts="off"' not in operator.get("/console/").content.decode()
    save(operator, "UTC")
    assert 'data-shortcuts="off"' in operator.get("/console/").content.decode()
    save(operator, "UTC", shortcuts="on")
    assert 'data-shortcuts="off"' not in operator.get("/console/").content.decode()


def test_every_key_is_listed(operator):
    said = says(operator.get("/console/settings/"))
    for does in ("Show these keys", "Next row", "Run again with edits", "Zoom in"):
        assert does in said


def test_the_key_of_an_upstream_is_not_shown(operator, settings):
    settings.RUNSITE_UPSTREAM_URL = "https://user:secret@models.example/v1"
    settings.RUNSITE_UPSTREAM_KEY = "sk-secret"
    page = operator.get("/console/settings/").content.decode()
    assert "models.example, with a key" in page
    assert "secret" not in page
