"""The form that starts a run: what it takes, and what it refuses."""

import pytest

from runs.models import Assistant, Message, Run
from tests.console.pages import says, url
from tests.factories import make_assistant, make_project, make_run, make_thread, text_part

TOOLS = '[{"type": "function", "function": {"name": "get_weather"}}]'

# --- starting ---


def test_a_run_needs_a_model_and_a_message(operator):
    response = operator.post("/console/runs/new/", {"parallel_tool_calls": "on"})
    assert response.status_code == 422
    assert "Choose an assistant or name a model." in says(response)
    assert "A new thread needs a message." in says(response)
    assert Run.objects.count() == 0


def test_a_run_can_do_without_an_assistant(operator, project):
    fields = {"model": "runsite/demo", "text": "Hello\r\nyou", "tools": TOOLS}
    response = operator.post("/console/runs/new/", fields | {"parallel_tool_calls": "on"})
    run = Run.objects.get()
    assert response["location"] == url(run)
    assert run.project_id == project.id
    assert (run.model, run.parallel_tool_calls) == ("runsite/demo", True)
    assert run.tools[0]["function"]["name"] == "get_weather"
    assert Message.objects.get().content == [text_part("Hello\nyou")]
    operator.post("/console/runs/new/", fields)
    assert Assistant.objects.count() == 1
    assert Run.objects.first().parallel_tool_calls is False


def test_a_run_takes_every_setting(operator, project):
    assistant = make_assistant(project)
    thread = make_thread(project)
    response = operator.post(
        "/console/runs/new/",
        {
            "assistant": assistant.id, "thread": thread.id, "text": "Go", "model": "other",
            "instructions": "Be.", "additional_instructions": "More.", "temperature": "0.5",
            "top_p": "0.9", "max_prompt_tokens": "300", "max_completion_tokens": "400",
            "tool_choice": "none", "response_format": "json_object", "reasoning_effort": "low",
            "metadata": '{"k": "v"}', "parallel_tool_calls": "on",
        },
    )  # fmt: skip
    assert response.status_code == 302
    run = Run.objects.get()
    assert run.thread_id == thread.id
    assert run.assistant_id == assistant.id
    assert run.instructions == "Be.\n\nMore."
    assert (run.temperature, run.top_p) == (0.5, 0.9)
    assert (run.max_prompt_tokens, run.max_completion_tokens) == (300, 400)
    assert run.tool_choice == "none"
    assert run.response_format == {"type": "json_object"}
    assert run.reasoning_effort == "low"
    assert run.metadata == {"k": "v"}


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("tools", "[", "This is not JSON"),
        ("tools", "[" * 100_000, "cannot be stored"),
        ("tools", "[" * 65 + "]" * 65, "cannot be stored"),
        ("tools", '["\\u0000"]', "cannot be stored"),
        ("tools", '["\\ud800"]', "cannot be stored"),
        ("tools", "[NaN]", "cannot be stored"),
        ("tools", "{}", "Tools are a list"),
        ("tools", "[3]", 'Tool 1 must be {"type"'),
        ("tools", '[{"type": "function", "function": {"name": "a b"}}]', "function name of tool 1"),
        (
            "tools",
            TOOLS.replace("}}", ', "parameters": 3}}'),
            "parameters of tool 1 has the wrong type",
        ),
        ("tools", TOOLS.replace("}}", ', "x": 3}}'), "has no “x”"),
        ("metadata", "[]", "Metadata is an object"),
        ("metadata", '{"a": 1}', "must be a text"),
        ("metadata", f'{{"{"k" * 65}": "v"}}', "is longer than 64"),
        ("temperature", "3", "less than or equal to 2"),
        ("max_prompt_tokens", "0", "greater than or equal to 1"),
        ("max_prompt_tokens", "9999999999", "less than or equal to"),
        ("instructions", "a\0b", "Null characters are not allowed"),
        ("thread", "thread_unknown", "No thread with this id"),
        ("assistant", "asst_unknown", "not one of the available choices"),
    ],
)
def test_a_wrong_setting_comes_back_with_what_was_typed(operator, field, value, complaint):
    fields = {"model": "runsite/demo", "text": "Kept <here>", field: value}
    response = operator.post("/console/runs/new/", fields)
    assert response.status_code == 422
    assert complaint in says(response)
    assert "Kept &lt;here&gt;" in response.content.decode()
    assert Run.objects.count() == 0


def test_a_busy_thread_refuses_a_second_run(operator, project):
    run = make_run(make_thread(project))
    fields = {"model": "runsite/demo", "text": "Hi", "thread": run.thread_id}
    response = operator.post("/console/runs/new/", fields)
    assert response.status_code == 422
    assert "already has an active run" in says(response)


def test_a_thread_or_assistant_of_another_project_cannot_be_used(operator):
    stranger = make_project()
    thread, assistant = make_thread(stranger), make_assistant(stranger)
    for given in ({"thread": thread.id, "model": "m"}, {"assistant": assistant.id}):
        response = operator.post("/console/runs/new/", {"text": "Hi", **given})
        assert response.status_code == 422
    assert assistant.id not in operator.get("/console/runs/new/").content.decode()
    assert Run.objects.count() == 0
