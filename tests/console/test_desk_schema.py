"""Outputs by a form that is made from a schema: what is asked, what is refused, what is sent."""

import json
import time

import pytest

from runs.contract.limits import MESSAGE_TEXT
from runs.contract.problems import PATTERN_SECONDS
from runs.contract.status import RunStatus
from runs.models import ToolCall
from runs.operations import cancel_run, set_output_schema
from tests.console.desk_form import fields_of
from tests.console.pages import says, url
from tests.factories import make_assistant, make_run, make_step, make_thread

HTMX = {"HX-Request": "true"}
WEATHER = {
    "type": "object",
    "required": ["temperature", "condition"],
    "properties": {
        "temperature": {"type": "number", "title": "Temperature (°C)", "description": "Now",
                        "minimum": -90, "examples": [21.5]},
        "condition": {"enum": ["clear", "rain"]},
        "windy": {"type": "boolean"},
        "note": {"type": ["string", "null"], "maxLength": 20},
        "wind": {"type": "object", "properties": {"speed": {"type": "integer"}}},
        "hours": {"type": "array", "items": {"type": "number"}},
        "extra": {"type": "object", "minProperties": 1},
    },
}  # fmt: skip


@pytest.fixture
def run(project):
    """A run that waits for two calls; the outputs of one have a schema."""
    set_output_schema(project, "get_weather", WEATHER)
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION, required_action={})
    make_step(run, "tool_calls", calls=["get_weather", "get_time"])
    return run


def send(operator, run, **typed):
    """Send the desk with something typed into it; ``__`` stands for the / of a field's name."""
    fields = fields_of(operator.get(url(run)))
    fields |= {name.replace("__", "/"): value for name, value in typed.items()}
    return operator.post(url(run, "outputs/"), fields, headers=HTMX)


def put(fields, **typed):
    return fields | {f"value-0/{name.replace('__', '/')}": value for name, value in typed.items()}


def outputs():
    return list(ToolCall.objects.order_by("index").values_list("output", flat=True))


def test_a_function_with_a_schema_is_answered_by_a_form(operator, run):
    page = operator.get(url(run))
    said = says(page)
    assert "Temperature (°C) (required)" in said
    assert "Now" in said
    assert 'placeholder="such as 21.5"' in page.content.decode()
    assert "Written as JSON: its schema has “minProperties”." in said
    fields = fields_of(page)
    assert fields["mode-0"] == "form"
    assert "mode-1" not in fields


def test_what_the_form_holds_is_sent_as_json(operator, run):
    fields = put(
        fields_of(operator.get(url(run))),
        temperature="21.5", condition='"rain"', windy="false", note="über\r\nNacht",
        wind__speed="7", hours="1\r\n2.5", extra='{"a": [1]}',
    )  # fmt: skip
    response = operator.post(url(run, "outputs/"), fields | {"output-1": "noon"}, headers=HTMX)
    assert says(response) == "2 outputs sent."
    first, second = outputs()
    assert json.loads(first) == {
        "temperature": 21.5, "condition": "rain", "windy": False, "note": "über\nNacht",
        "wind": {"speed": 7}, "hours": [1, 2.5], "extra": {"a": [1]},
    }  # fmt: skip
    assert second == "noon"


def test_what_is_left_empty_is_left_out_and_null_is_said(operator, run):
    fields = put(fields_of(operator.get(url(run))), temperature="0", condition='"clear"')
    operator.post(url(run, "outputs/"), fields | {"value-0/note~null": "1"}, headers=HTMX)
    assert json.loads(outputs()[0]) == {"temperature": 0, "condition": "clear", "note": None}


def test_a_refused_form_keeps_its_values_and_says_what_is_wrong_where(operator, run):
    fields = put(
        fields_of(operator.get(url(run))), temperature="-100", note="x" * 21, wind__speed="fast"
    )
    response = operator.post(url(run, "outputs/"), fields, headers=HTMX)
    assert response.status_code == 422
    said, page = says(response), response.content.decode()
    assert "Nothing was sent." in said
    assert "get_weather: speed : This must be a number such as 21.5." in said
    for part in ("data-focus", "x" * 21, "fast", 'value="-100"'):
        assert part in page
    fields = put(fields_of(response), wind__speed="7")
    said = says(operator.post(url(run, "outputs/"), fields, headers=HTMX))
    assert "get_weather: Temperature (°C) : This must be at least -90." in said
    assert "get_weather: condition : This is required." in said
    assert "get_weather: note : This has at most 20 characters." in said
    assert outputs() == [None, None]
    fields = put(fields_of(response), temperature="1", condition='"clear"', note="", wind__speed="")
    assert operator.post(url(run, "outputs/"), fields, headers=HTMX).status_code == 200


def test_an_error_is_told_to_who_cannot_see_it(operator, run):
    response = send(operator, run, **{"value-0__temperature": "warm"})
    page = response.content.decode()
    element = f"output-{run.id}-0-1"
    assert f'<a href="#{element}">' in page
    assert f'id="{element}" name="value-0/temperature"' in page
    assert f'aria-describedby="{element}-help {element}-error" aria-invalid="true"' in page
    assert f'<p class="error" id="{element}-error">This must be a number' in page


def test_json_is_checked_and_sent_as_typed(operator, run):
    wrong = {"mode-0": "json", "output-0": '{"temperature": "warm"}'}
    said = says(send(operator, run, **wrong))
    assert "temperature: This must be a number." in said
    assert "condition: This is required." in said
    assert "This is not JSON" in says(send(operator, run, **wrong | {"output-0": "warm"}))
    typed = '{ "temperature": 1.0,\n"condition": "clear", "more": 1e2 }'
    assert send(operator, run, **wrong | {"output-0": typed}).status_code == 200
    assert outputs()[0] == typed


def test_any_text_can_be_sent(operator, run):
    assert send(operator, run, **{"mode-0": "text", "output-0": "no idea"}).status_code == 200
    assert outputs()[0] == "no idea"


def test_the_form_keeps_what_only_json_can_hold(operator, run):
    held = '{"temperature": 1e1, "condition": "hail", "unknown": {"deep": [null]}, "note": "a\\r"}'
    typed = {"output-0": held, "value-0__temperature": "12", "value-0__condition": '"rain"'}
    send(operator, run, **typed)
    assert json.loads(outputs()[0]) == {
        "temperature": 12, "condition": "rain", "unknown": {"deep": [None]}, "note": "a\r",
    }  # fmt: skip


@pytest.mark.slow
def test_an_evil_pattern_ends_in_words(operator, project):
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    set_output_schema(project, "get_weather", schema)
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    response = send(operator, run, **{"value-0__a": "a" * 60 + "b"})
    assert response.status_code == 422
    assert "This could not be checked in time." in says(response)
    assert send(operator, run, **{"mode-0": "text", "output-0": "x"}).status_code == 200


def test_a_schema_that_was_changed_meanwhile_is_not_ours(operator, run):
    fields = fields_of(operator.get(url(run)))
    forged = fields | {"schema-0": fields["schema-0"].replace("-90", "-99"), "output-0": "x"}
    operator.post(url(run, "outputs/"), forged, headers=HTMX)
    assert outputs()[0] == "x"


def test_the_form_outlives_the_run(operator, run):
    fields = put(fields_of(operator.get(url(run))), temperature="3", condition='"rain"')
    cancel_run(run)
    response = operator.post(url(run, "outputs/"), fields)
    assert response.status_code == 422
    assert fields_of(response)["value-0/temperature"] == "3"
    assert "data-send disabled" in response.content.decode()


def test_the_assistants_own_schema_comes_first(operator, project):
    mine = make_assistant(project)
    for assistant, title in ((None, "of all"), (mine, "of mine")):
        schema = {"type": "object", "properties": {"a": {"type": "string", "title": title}}}
        set_output_schema(project, "get_weather", schema, assistant)
    own = make_run(make_thread(project), RunStatus.REQUIRES_ACTION, mine)
    other = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    assert "of mine" in says(operator.get(url(own)))
    assert "of all" in says(operator.get(url(other)))


def test_names_are_shown_and_never_read_as_html(operator, project):
    evil = "<img src=x onerror=alert(1)>/\u202e~"
    schema = {
        "type": "object",
        "title": evil,
        "properties": {evil.replace("\u202e", ""): {"type": "string", "description": evil}},
    }
    set_output_schema(project, "get_weather", schema)
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    page = operator.get(url(run)).content.decode()
    assert "<img" not in page
    assert "\u202e" not in page
    name = "value-0/<img src=x onerror=alert(1)>~1~0"
    send(operator, run, **{name.replace("/", "__", 1): "x"})
    assert json.loads(outputs()[0]) == {evil.replace("\u202e", ""): "x"}


def evil_desk(operator, project, calls, output):
    """The fields of a desk whose calls all have an output that takes too long to check."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    set_output_schema(project, "get_weather", schema)
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION, required_action={})
    make_step(run, "tool_calls", calls=["get_weather"] * calls)
    fields = fields_of(operator.get(url(run)))
    for index in range(calls):
        fields |= {f"mode-{index}": "json", f"output-{index}": output}
    return run, fields


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # it takes longer than PostgreSQL lets one idle in one
def test_all_answers_are_checked_by_one_clock(operator, project):
    run, fields = evil_desk(operator, project, 8, json.dumps({"a": "a" * 60 + "b"}))
    began = time.monotonic()
    response = operator.post(url(run, "outputs/"), fields, headers=HTMX)
    assert time.monotonic() - began < 8 * PATTERN_SECONDS - 4
    assert says(response).count("get_weather : This could not be checked in time.") == 8


def test_what_the_run_does_not_wait_for_is_not_checked(operator, project):
    run, fields = evil_desk(operator, project, 2, json.dumps({"a": "a" * 60 + "b"}))
    for given in (fields | {"call-1": "call_invented"}, fields | {"call-2": fields["call-1"]}):
        began = time.monotonic()
        assert operator.post(url(run, "outputs/"), given, headers=HTMX).status_code == 422
        assert time.monotonic() - began < PATTERN_SECONDS


def test_an_output_that_is_too_long_is_not_checked(operator, project):
    run, fields = evil_desk(operator, project, 1, json.dumps({"a": "x" * MESSAGE_TEXT}))
    said = says(operator.post(url(run, "outputs/"), fields, headers=HTMX))
    assert f"An output has at most {MESSAGE_TEXT}." in said
    assert "pattern" not in said
    typed = {"mode-0": "form", "output-0": "", "value-0/a": "x" * MESSAGE_TEXT}
    said = says(operator.post(url(run, "outputs/"), fields | typed, headers=HTMX))
    assert f"An output has at most {MESSAGE_TEXT}." in said
    assert "pattern" not in said
