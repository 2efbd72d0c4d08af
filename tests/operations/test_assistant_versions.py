"""Every change of an assistant keeps a version, and a run knows which one it started from."""

import pytest
from django.contrib.auth.models import User

from runs import operations
from runs.models import Assistant, AssistantVersion, Run
from tests.api.client import Api, ok
from tests.factories import WEATHER, make_assistant, make_key, make_project, make_thread

pytestmark = pytest.mark.django_db


def kept(assistant):
    """Version and settings of all that is kept, oldest first."""
    rows = AssistantVersion.objects.filter(assistant_id=assistant.id).order_by("version")
    return [(row.version, row.settings) for row in rows]


def test_creating_and_changing_keep_versions():
    user = User.objects.create_user("ana")
    key, _ = make_key()
    made = operations.create_assistant(key.project, {"model": "m", "tools": [WEATHER]}, by=key)
    operations.update_assistant(made, {"instructions": "Be.", "temperature": 1}, by=user)
    (first, before), (second, after) = kept(made)
    assert (first, second, Assistant.objects.get().version) == (1, 2, 2)
    assert before == operations.assistants.settings_of(made) | {
        "instructions": None,
        "temperature": None,
    }
    assert (after["instructions"], after["temperature"]) == ("Be.", 1.0)
    rows = AssistantVersion.objects.order_by("version")
    assert [(row.user, row.key) for row in rows] == [(None, key), (user, None)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "Helper"},
        {"model": None},
        {"tools": None, "metadata": {}},
        {"description": None},
    ],
)
def test_what_changes_nothing_keeps_nothing(fields):
    assistant = make_assistant(version=1)
    operations.update_assistant(assistant, fields)
    assert kept(assistant) == []
    assert Assistant.objects.get().version == 1


def test_true_in_a_schema_is_not_one():
    assistant = operations.create_assistant(make_project(), {"model": "m", "metadata": {"a": 1}})
    operations.update_assistant(assistant, {"metadata": {"a": True}})
    assert kept(assistant)[-1][1]["metadata"] == {"a": True}


def test_an_assistant_older_than_versions_keeps_what_it_was_before_its_first_change():
    assistant = make_assistant(instructions="Old.")
    operations.update_assistant(assistant, {"instructions": "New."})
    assert [(version, was["instructions"]) for version, was in kept(assistant)] == [
        (1, "Old."),
        (2, "New."),
    ]


def test_a_change_to_an_older_version_is_refused():
    assistant = operations.create_assistant(make_project(), {"model": "m"})
    mine = Assistant.objects.get()
    operations.update_assistant(assistant, {"model": "theirs"}, over=1)
    with pytest.raises(operations.Outdated) as refused:
        operations.update_assistant(mine, {"model": "mine"}, over=1)
    assert (refused.value.assistant.version, refused.value.assistant.model) == (2, "theirs")
    assert len(kept(assistant)) == 2


def test_versions_outlive_their_assistant():
    assistant = operations.create_assistant(make_project(), {"model": "m"})
    operations.delete_assistant(assistant)
    assert [version for version, _ in kept(assistant)] == [1]


def test_a_run_notes_its_version_and_what_it_was_given():
    assistant = operations.create_assistant(make_project(), {"model": "m"})
    operations.update_assistant(assistant, {"model": "n"})
    key, _ = make_key(assistant.project)
    thread = make_thread(assistant.project)
    fields = {
        "assistant_id": assistant.id, "model": None, "temperature": 0.0, "metadata": {},
        "additional_instructions": "More.", "parallel_tool_calls": False,
    }  # fmt: skip
    operations.create_run(thread, fields, key)
    run = Run.objects.get()
    assert (run.assistant_version, run.key_id) == (2, key.id)
    assert run.given == [
        "temperature",
        "additional_instructions",
        "parallel_tool_calls",
        "metadata",
    ]


def test_a_run_of_an_assistant_without_versions():
    assistant = make_assistant()
    run = operations.create_thread_and_run(assistant.project, {"assistant_id": assistant.id})
    assert (run.assistant_version, run.given, run.key_id) == (None, [], None)


@pytest.mark.django_db(transaction=True)
def test_the_api_says_which_key_it_was():
    api = Api(make_project())
    assistant = ok(api.post("/v1/assistants", {"model": "m"}))
    ok(api.post(f"/v1/assistants/{assistant['id']}", {"name": "x"}))
    ok(api.post("/v1/threads/runs", {"assistant_id": assistant["id"]}))
    thread = ok(api.post("/v1/threads", {}))
    ok(api.post(f"/v1/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]}))
    key = api.project.keys.get()
    assert {row.key for row in AssistantVersion.objects.all()} == {key}
    assert {(run.key_id, run.assistant_version) for run in Run.objects.all()} == {(key.id, 2)}


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_are_versions_one_after_the_other(race):
    assistant = operations.create_assistant(make_project(), {"model": "m"})

    def change(name):
        return operations.update_assistant(Assistant.objects.get(), {name: f"new {name}"})

    done = race(*[lambda name=name: change(name) for name in ("name", "description", "model")])
    assert done.faults == []
    assert [version for version, _ in kept(assistant)] == [1, 2, 3, 4]
    last = Assistant.objects.get()
    assert (last.name, last.description, last.model) == ("new name", "new description", "new model")
    assert kept(assistant)[-1][1] == operations.assistants.settings_of(last)
