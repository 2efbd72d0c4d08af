"""The form that starts a run: what it takes, and what it refuses."""

import pytest

from runs.contract.errors import BadRequest
from runs.inputs.bodies import validate
from runs.inputs.serializers import CreateRun
from runs.models import Assistant, Message, Run
from tests.console.pages import says, url
from tests.factories import (
    WEATHER,
    make_assistant,
    make_project,
    make_run,
    make_thread,
    text_part,
)

TOOLS = '[{"type": "function", "function": {"name": "get_weather"}}]'

# --- starting ---


def test_a_run_needs_a_model_and_a_message(operator):
    response = operator.post("/console/runs/new/")
    assert response.status_code == 422
    assert "Choose an assistant or name a model." in says(response)
    assert "A new thread needs a message." in says(response)
    assert Run.objects.count() == 0


def test_a_run_can_do_without_an_assistant(operator, project):
    fields = {"model": "runsite/demo", "text": "Hello\r\nyou", "tools": TOOLS}
    response = operator.post("/console/runs/new/", fields)
    run = Run.objects.get()
    assert response["location"] == url(run)
    assert run.project_id == project.id
    assert (run.model, run.parallel_tool_calls) == ("runsite/demo", True)
    assert run.tools[0]["function"]["name"] == "get_weather"
    assert Message.objects.get().content == [text_part("Hello\nyou")]
    operator.post("/console/runs/new/", fields | {"parallel_tool_calls": "false"})
    assert Assistant.objects.count() == 1
    assert Run.objects.first().parallel_tool_calls is False


def test_a_run_takes_every_setting(operator, project):
    assistant = make_assistant(project, tools=[WEATHER, {"type": "file_search"}])
    thread = make_thread(project)
    response = operator.post(
        "/console/runs/new/",
        {
            "assistant": assistant.id, "thread": thread.id, "text": "Go", "model": "other",
            "messages": '[{"role": "assistant", "content": "Ready."}]',
            "instructions": "Be.", "additional_instructions": "More.", "temperature": "0.5",
            "top_p": "1", "max_prompt_tokens": "300", "max_completion_tokens": "400",
            "tools_of": assistant.id, "tool": ["get_weather"],
            "tools": TOOLS.replace("weather", "time"),
            "function": "get_time", "response_format": "json_schema", "reasoning_effort": "low",
            "json_schema": '{"name": "answer", "schema": {"type": "object"}}',
            "truncation": "last_messages", "last_messages": "3", "parallel_tool_calls": "false",
            "metadata_key_0": "k", "metadata_value_0": "v", "metadata_key_7": " ",
            "on_active_run": "queue", "expires_in": "77", "action_expires_in": "88",
        },
    )  # fmt: skip
    assert response.status_code == 302
    run = Run.objects.get()
    assert (run.thread_id, run.assistant_id) == (thread.id, assistant.id)
    assert [message.role for message in Message.objects.all()] == ["assistant", "user"]
    assert run.instructions == "Be.\n\nMore."
    assert (run.temperature, run.top_p) == (0.5, 1)
    assert (run.max_prompt_tokens, run.max_completion_tokens) == (300, 400)
    assert [tool["function"]["name"] for tool in run.tools] == ["get_weather", "get_time"]
    assert run.tool_choice == {"type": "function", "function": {"name": "get_time"}}
    schema = {"name": "answer", "schema": {"type": "object"}}
    assert run.response_format == {"type": "json_schema", "json_schema": schema}
    assert run.truncation_strategy == {"type": "last_messages", "last_messages": 3}
    assert (run.reasoning_effort, run.parallel_tool_calls) == ("low", False)
    assert run.metadata == {"k": "v", " ": ""}
    assert (run.expires_at - run.created_at).total_seconds() == 77
    assert run.action_lifetime == 88


def test_the_tools_of_an_assistant_are_inherited_until_one_is_left_out(operator, project):
    assistant = make_assistant(project, tools=[WEATHER, {"type": "file_search"}])
    fields = {"assistant": assistant.id, "text": "Go"}
    both = ["get_weather", "file_search"]
    for of, ticked, tools in (
        ("", [], assistant.tools),  # they were not shown
        (assistant.id, both, assistant.tools),
        (assistant.id, both[1:], [{"type": "file_search"}]),
        (assistant.id, [], []),
    ):
        response = operator.post("/console/runs/new/", fields | {"tools_of": of, "tool": ticked})
        assert response.status_code == 302
        assert Run.objects.first().tools == tools
        assert ("tools" in Run.objects.first().given) is (tools != assistant.tools)


def test_an_empty_field_shows_what_it_stands_for(operator, project):
    assistant = make_assistant(project, temperature=0.7, response_format={"type": "json_object"})
    page = operator.get(f"/console/runs/new/?assistant={assistant.id}").content.decode()
    for shown in ("Inherited: 0.7", "Inherited: gpt-4o", "Inherited: Be brief.", "Default: 600"):
        assert f'placeholder="{shown}"' in page
    assert "Inherited: json_object</option>" in page


FUNCTION = TOOLS[1:-1]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("tools", "[", "Expecting value at line 1, column 2."),
        ("tools", "[" * 100_000, "more than 64 levels deep"),
        ("tools", "[" * 65 + "]" * 65, "more than 64 levels deep"),
        ("tools", "[NaN]", "NaN is not a JSON value."),
        ("tools", '{"a": 1, "a": 2}', "the same name twice"),
        ("thread", "thread_unknown", "No thread with this id"),
        ("thread", "a\0b", "Null characters are not allowed"),
        ("assistant", "asst_unknown", "not one of the available choices"),
        ("tool_choice", "maybe", "not one of the available choices"),
        ("metadata_value_0", "v", "This value needs a key."),
    ],
)
def test_what_makes_no_body_comes_back_with_what_was_typed(operator, field, value, complaint):
    fields = {"model": "runsite/demo", "text": "Kept <here>", field: value}
    response = operator.post("/console/runs/new/", fields)
    assert response.status_code == 422
    assert complaint in says(response)
    assert "Kept &lt;here&gt;" in response.content.decode()
    assert Run.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value", "name", "sent"),
    [
        ("tools", "{}", "tools", {}),
        ("tools", "[3]", "tools", [3]),
        ("tools", '["\\u0000"]', "tools", ["\0"]),
        ("tools", '["\\ud800"]', "tools", ["\ud800"]),
        ("tools", '[{"type": "function"}]', "tools", [{"type": "function"}]),
        ("tools", f"[{FUNCTION.replace('get_', 'get ')}]", "tools",
         [{"type": "function", "function": {"name": "get weather"}}]),
        ("temperature", "3", "temperature", 3),
        ("temperature", "hot", "temperature", "hot"),
        ("top_p", "-0.1", "top_p", -0.1),
        ("max_prompt_tokens", "0", "max_prompt_tokens", 0),
        ("max_prompt_tokens", "1.5", "max_prompt_tokens", 1.5),
        ("max_completion_tokens", "9999999999", "max_completion_tokens", 9999999999),
        ("model", "m" * 257, "model", "m" * 257),
        ("instructions", "x" * 256_001, "instructions", "x" * 256_001),
        ("function", "get weather", "tool_choice",
         {"type": "function", "function": {"name": "get weather"}}),
        ("json_schema", '{"schema": {}}', "response_format",
         {"type": "json_schema", "json_schema": {"schema": {}}}),
        ("response_format", "json_schema", "response_format", {"type": "json_schema"}),
        ("truncation", "last_messages", "truncation_strategy", {"type": "last_messages"}),
        ("last_messages", "0", "truncation_strategy",
         {"type": "last_messages", "last_messages": 0}),
        ("expires_in", "99999999", "expires_in", 99999999),
        ("messages", '[{"role": "system", "content": "x"}]', "additional_messages",
         [{"role": "system", "content": "x"}]),
        ("text", "x" * 256_001, "additional_messages",
         [{"role": "user", "content": "x" * 256_001}]),
    ],
)  # fmt: skip
def test_the_form_refuses_what_the_api_refuses_in_the_same_words(
    operator, field, value, name, sent
):
    with pytest.raises(BadRequest) as refused:
        validate(CreateRun, {"assistant_id": "asst_1", name: sent})
    fields = {"model": "runsite/demo", "text": "Kept", field: value}
    response = operator.post("/console/runs/new/", fields)
    assert response.status_code == 422
    errors = response.context["form"].errors
    assert [refused.value.message] in [list(told) for told in errors.values()]
    assert Run.objects.count() == 0


def test_each_pair_of_metadata_is_refused_by_itself(operator):
    pairs = {"metadata_key_0": "k" * 65, "metadata_key_1": "b", "metadata_value_1": "v" * 513,
             "metadata_key_2": "c", "metadata_key_3": "c"}  # fmt: skip
    fields = {"model": "runsite/demo", "text": "Hi", **pairs}
    errors = operator.post("/console/runs/new/", fields).context["form"].errors
    assert "maximum length 64" in errors["metadata_value_0"][0]
    assert "maximum length 512" in errors["metadata_value_1"][0]
    assert errors["metadata_key_3"] == ["This key is there twice."]


def test_all_that_is_wrong_is_told_at_once(operator):
    fields = {"temperature": "9", "tools": "{}", "text": " "}
    response = operator.post("/console/runs/new/", fields)
    errors = response.context["form"].errors
    assert set(errors) == {"temperature", "tools", "model", "text"}
    assert '<a href="#id_temperature">' in response.content.decode()


def test_a_double_click_starts_one_run(operator):
    fields = {"model": "runsite/demo", "text": "Hi", "key": "once"}
    first, second = (operator.post("/console/runs/new/", fields) for _ in range(2))
    assert first["location"] == second["location"]
    assert Run.objects.count() == 1
    changed = operator.post("/console/runs/new/", fields | {"text": "Ho"})
    assert changed["location"] != first["location"]


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
