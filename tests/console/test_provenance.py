"""The run's page says where each setting comes from, and what its assistant is by now."""

import pytest

from runs import operations
from runs.models import AssistantVersion
from tests.console.pages import says, url
from tests.factories import WEATHER, make_assistant, make_project, make_run, make_thread


@pytest.fixture
def assistant(project):
    made = operations.create_assistant(project, {"model": "m", "name": "Helper"})
    fields = {"instructions": "Be brief.", "temperature": 0.5, "tools": [WEATHER]}
    return operations.update_assistant(made, fields)


def start(assistant, **fields):
    fields = {"assistant_id": assistant.id} | fields
    return operations.create_thread_and_run(assistant.project, fields)


def test_each_setting_has_its_origin(operator, assistant):
    run = start(
        assistant, model="other", temperature=0.0, metadata={"k": "v"}, max_prompt_tokens=300,
        parallel_tool_calls=False, tool_choice="auto",
    )  # fmt: skip
    words = says(operator.get(url(run)))
    for label in (
        "Model run other", "Temperature run 0.0", "Instructions assistant v2 Be brief.",
        "Tools assistant v2 get_weather", "Prompt tokens at most run 300", "Tool choice run auto",
        "Parallel tool calls run no", "Metadata run { \"k\": \"v\" }", "Top p default 1.0",
        "Completion tokens at most default no limit", "Format default auto",
    ):  # fmt: skip
        assert label in words, words
    page = operator.get(url(run)).content.decode()
    assert f"/console/assistants/{assistant.id}/versions/?below=3#v2" in page


def test_added_instructions_come_from_both(operator, assistant):
    run = start(assistant, additional_instructions="And kind.")
    assert "Instructions assistant v2 + run Be brief. And kind." in says(operator.get(url(run)))
    alone = start(assistant, instructions="Be.", additional_instructions="And kind.")
    assert "Instructions run Be. And kind." in says(operator.get(url(alone)))


def test_an_older_run_has_no_labels(operator, project):
    run = make_run(make_thread(project), "completed", temperature=0.5, instructions="Be.")
    words = says(operator.get(url(run)))
    assert "Instructions Be." in words
    assert "Temperature 0.5" in words
    assert "Top p default 1.0" in words


def test_an_assistant_without_versions_is_named_alone(operator, project):
    run = start(make_assistant(project))
    assert "Instructions assistant Be brief." in says(operator.get(url(run)))


def test_what_the_assistant_has_become(operator, assistant):
    run = start(assistant)
    assert "by now" not in says(operator.get(url(run)))
    operations.update_assistant(assistant, {"instructions": "Be long."})
    words = says(operator.get(url(run)))
    assert "It is v3 by now: what changed Instructions - Be brief. + Be long." in words
    AssistantVersion.objects.all().delete()
    assert "by now" not in says(operator.get(url(run)))


def test_a_deleted_assistant_still_labels_its_runs(operator, assistant):
    run = start(assistant)
    operations.delete_assistant(assistant)
    words = says(operator.get(url(run)))
    assert "Assistant deleted" in words
    assert "Instructions assistant v2" in words


def test_the_version_of_another_project_is_not_shown(operator, project, assistant):
    run = start(assistant)
    operations.update_assistant(assistant, {"name": "New"})
    AssistantVersion.objects.update(project=make_project())
    assert "by now" not in says(operator.get(url(run)))
