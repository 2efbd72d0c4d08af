"""What earlier outputs offer: a form like them, and the last one for the same arguments."""

import json
import time

import pytest

from runs.console.desk import desks_of
from runs.console.earlier import LEARNED_FROM, OUTPUT_TEXT, Lessons, learned_schema, schema_like
from runs.contract.limits import CALLS
from runs.contract.problems import problems
from runs.contract.roles import Role
from runs.contract.status import RunStatus
from runs.models import ToolCall
from tests.console.desk_form import answer_all, fields_of
from tests.console.pages import says, url
from tests.factories import make_project, make_run, make_step, make_thread

HTMX = {"HX-Request": "true"}
LEARN = "Use a form like earlier outputs"
REPEAT = "Use last output for the same arguments"


def answered(project, output, arguments=None):
    """A run of the project whose call was answered."""
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    if arguments is not None:
        ToolCall.objects.filter(run_id=run.id).update(arguments=arguments)
    answer_all(run, output)


def calls_with(*outputs):
    return [ToolCall(output=json.dumps(output)) for output in outputs]


@pytest.mark.parametrize(
    "values",
    [
        [{"a": 1}, {"a": 2.5, "b": "x"}],
        [{"a": None}, {"a": {"b": [1, 2], "c": True}}],
        [{"a": [1, "x"]}, {"a": []}],
        [{"a": {"b": {"c": {"d": {"e": 1}}}}}],
        [{"a": [{"b": 1}, {"c": None}]}],
    ],
)
def test_all_that_a_schema_was_learned_from_fits_it(values):
    schema = schema_like(values)
    assert all(problems(schema, value) == [] for value in values)


def test_what_all_outputs_have_is_required():
    schema = learned_schema(calls_with({"a": 1, "b": "x"}, {"a": 2, "b": None}, {"a": 3}))
    assert schema == {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "integer", "examples": [1]},
            "b": {"type": ["string", "null"], "examples": ["x"]},
        },
    }


def test_nothing_is_learned_from_text():
    assert learned_schema([]) is None
    assert learned_schema(calls_with("mild", 3, {})) is None
    assert learned_schema([*calls_with({"a": 1}), *calls_with("x", "y")]) is None
    assert learned_schema(calls_with({str(n): n for n in range(5000)})) is None


def test_arguments_are_the_same_in_any_order():
    given = [('{"a": 1, "b": [2]}', "new"), ("no json", "text"), ('{"b": [2], "a": 1}', "old")]
    lessons = Lessons.of([ToolCall(arguments=asked, output=output) for asked, output in given])
    assert lessons.last_output('{"b":[2],"a":1}') == "new"
    assert lessons.last_output("no json") == "text"
    assert lessons.last_output('{"b":[2]}') is None


def test_nothing_is_offered_without_earlier_outputs(operator, project):
    answered(make_project(), {"secret": 1})  # of another project
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    said = says(operator.get(url(run)))
    assert LEARN not in said
    assert REPEAT not in said


def test_a_form_like_earlier_outputs_is_offered_and_sends(operator, project):
    answered(project, {"temperature": 21})
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    page = operator.get(url(run))
    assert LEARN in says(page)
    fields = fields_of(page) | {"output-0": '{"temperature": 9}', "learn": "0"}
    page = operator.post(url(run, "outputs/fill/"), fields, headers=HTMX)
    assert page.status_code == 200
    assert "Made from earlier outputs of get_weather." in says(page)
    fields = fields_of(page)
    assert fields["value-0/temperature"] == "9"
    operator.post(url(run, "outputs/"), fields | {"value-0/temperature": "10"}, headers=HTMX)
    assert ToolCall.objects.get(run_id=run.id).output == '{"temperature": 10}'


def test_the_last_output_for_the_same_arguments_is_filled_in(operator, project):
    answered(project, "mild", '{ "city":"Oslo" }')
    answered(project, "hot", '{"city": "Rome"}')
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    page = operator.get(url(run))
    assert REPEAT in says(page)
    fields = fields_of(page) | {"last": "0"}
    without_script = operator.post(url(run, "outputs/fill/"), fields)
    assert "<html" in without_script.content.decode()
    assert fields_of(without_script)["output-0"] == "mild"
    assert ToolCall.objects.get(run_id=run.id).output is None


def test_only_the_last_outputs_count(operator, project, django_assert_max_num_queries):
    answered(project, {"old": 1})
    for _ in range(LEARNED_FROM):
        answered(project, "plain text")
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    with django_assert_max_num_queries(20):
        page = operator.get(url(run))
    assert LEARN not in says(page)


def test_a_fill_without_a_wish_changes_nothing(operator, project):
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    fields = fields_of(operator.get(url(run))) | {"output-0": "typed", "learn": "0", "last": "0"}
    page = operator.post(url(run, "outputs/fill/"), fields, headers=HTMX)
    assert fields_of(page)["output-0"] == "typed"


def test_calls_with_large_arguments_teach_nothing(operator, project):
    large = json.dumps({"city": "x" * OUTPUT_TEXT})
    answered(project, {"temperature": 21}, large)
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    ToolCall.objects.filter(run_id=run.id).update(arguments=large)
    said = says(operator.get(url(run)))
    assert LEARN not in said
    assert REPEAT not in said


def test_a_function_that_is_called_often_is_learned_once(project):
    """Its 20 outputs are read once for all calls: for each of them it takes a minute and more."""
    hard = {f"field {n}": {"a": n, "b": [n], "c": str(n)} for n in range(100)}
    for n in range(LEARNED_FROM):
        answered(project, hard, json.dumps({"city": n}))
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION, required_action={})
    make_step(run, "tool_calls", calls=["get_weather"] * CALLS)
    began = time.process_time()
    (desk,) = desks_of(project, [run], Role.OPERATOR)
    assert time.process_time() - began < 5
    assert all(answer.can_learn for answer in desk.answers)
