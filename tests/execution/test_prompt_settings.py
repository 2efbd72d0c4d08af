"""The budgets, tools and settings a turn sends to the model."""

import pytest

from runs.execution.prompt import OverBudget
from tests.execution.prompts import ask, driven, prompt
from tests.factories import WEATHER

pytestmark = pytest.mark.django_db


def test_max_prompt_tokens_that_the_question_alone_exceeds(thread):
    ask(thread, "x" * 400)
    with pytest.raises(OverBudget) as over:
        prompt(driven(thread, max_prompt_tokens=50))
    assert over.value.reason == "max_prompt_tokens"


def test_max_prompt_tokens_counts_the_turns_before(thread):
    ask(thread)
    run = driven(thread, turn=1, max_prompt_tokens=100, usage=spent(prompt=99))
    with pytest.raises(OverBudget):
        prompt(run)


def spent(prompt=0, completion=0):
    return {"prompt_tokens": prompt, "completion_tokens": completion}


@pytest.mark.parametrize(("used", "left"), [(0, 50), (20, 30), (49, 1)])
def test_max_completion_tokens_is_what_remains(thread, used, left):
    run = driven(thread, max_completion_tokens=50, usage=spent(completion=used))
    assert prompt(run).max_completion_tokens == left


@pytest.mark.parametrize("used", [50, 51])
def test_nothing_remains(thread, used):
    with pytest.raises(OverBudget) as over:
        prompt(driven(thread, max_completion_tokens=50, usage=spent(completion=used)))
    assert over.value.reason == "max_completion_tokens"


NAMED = {"type": "function", "function": {"name": "get_weather"}}
CHOICES = [
    ("required", 0, "required"),
    ("required", 1, "auto"),
    (NAMED, 0, NAMED),
    (NAMED, 1, "auto"),
    ("auto", 1, "auto"),
    ("none", 0, "none"),
    ("none", 1, "none"),
    (None, 0, None),
    ({"type": "file_search"}, 0, None),
]


@pytest.mark.parametrize(("choice", "turn", "sent"), CHOICES)
def test_a_demand_to_call_holds_for_the_first_turn_only(thread, choice, turn, sent):
    run = driven(thread, tools=[WEATHER], tool_choice=choice, turn=turn)
    assert prompt(run).tool_choice == sent


def test_without_tools_nothing_is_said_of_them(thread):
    request = prompt(driven(thread, tools=[], tool_choice="auto", parallel_tool_calls=False))
    assert (request.tools, request.tool_choice, request.parallel_tool_calls) == ([], None, None)


def test_built_in_tools_are_not_offered(thread):
    request = prompt(driven(thread, tools=[{"type": "code_interpreter"}, WEATHER]))
    assert request.tools == [WEATHER]


def test_null_fields_of_a_tool_are_dropped(thread):
    function = {"name": "f", "description": None, "parameters": None, "strict": None}
    request = prompt(driven(thread, tools=[{"type": "function", "function": function}]))
    assert request.tools == [{"type": "function", "function": {"name": "f"}}]


def test_settings_pass_through(thread):
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    request = prompt(
        driven(
            thread,
            model="m",
            tools=[WEATHER],
            temperature=0.0,
            top_p=0.5,
            response_format=schema,
            reasoning_effort="low",
            parallel_tool_calls=False,
        )
    )
    assert request.model == "m"
    assert (request.temperature, request.top_p) == (0.0, 0.5)
    assert (request.response_format, request.reasoning_effort) == (schema, "low")
    assert request.parallel_tool_calls is False


def test_auto_as_a_format_is_not_said(thread):
    assert prompt(driven(thread, response_format="auto")).response_format is None


def test_what_is_not_said_does_not_reach_the_upstream(scene):
    scene.drive(scene.create("text-1"))
    (request,) = scene.upstream.requests
    assert set(request.body) == {
        "model", "messages", "stream", "stream_options", "tools", "parallel_tool_calls",
    }  # fmt: skip
