"""The page of output schemas; and that any schema, its form and a value of it agree."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.console.parts import ABSENT
from runs.console.schema_form import form_of
from runs.contract.problems import problems
from runs.contract.schemas import check_schema, read_json, write_json
from runs.models import OutputSchema
from runs.operations import set_output_schema
from tests.console.pages import says
from tests.factories import make_assistant, make_project

PAGE = "/console/outputs/"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "title": "The city"}}}


def save(operator, function="get_weather", schema=SCHEMA, **fields):
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return operator.post(PAGE, {"function": function, "schema": text, **fields})


def test_a_schema_is_saved_shown_and_removed(operator, project):
    response = save(operator)
    row = OutputSchema.objects.get()
    assert (row.project, row.assistant, row.schema) == (project, None, SCHEMA)
    page = operator.get(response["location"])
    for words in ("The schema of get_weather was saved.", "The form it makes", "The city"):
        assert words in says(page)
    assert "get_weather Every run of the project" in says(operator.get(PAGE))
    operator.post(response["location"])
    assert not OutputSchema.objects.exists()
    assert "No function has a schema yet" in says(operator.get(PAGE))


def test_saving_again_takes_the_place_of_what_was_there(operator, project):
    mine = make_assistant(project, name="Mine")
    for schema in (SCHEMA, {"type": "number"}):
        save(operator, schema=schema)
        save(operator, schema=schema, assistant=mine.id)
    rows = OutputSchema.objects.all()
    assert [row.schema for row in rows] == [{"type": "number"}] * 2
    assert {row.assistant for row in rows} == {mine, None}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"function": "two words"}, "The name of a function is 1 to 64 letters, digits, _ or -."),
        ({"function": ""}, "This field is required."),
        ({"schema": "{"}, "This is not JSON"),
        ({"schema": "[1]"}, "A schema is a JSON object."),
        ({"schema": {"$ref": "#"}}, "$ref is not supported here"),
        ({"schema": '{"minimum": 1e999}'}, "a number that is too large"),
        ({"assistant": "asst_unknown\0"}, "Select a valid choice"),
    ],
)
def test_what_is_no_schema_is_refused_and_kept(operator, project, fields, words):
    response = save(operator, **fields)
    assert response.status_code == 422
    assert words in says(response)
    assert not OutputSchema.objects.exists()


def test_those_of_another_project_are_not_there(operator, project):
    other = make_project()
    foreign = set_output_schema(other, "secret_function", SCHEMA)
    assert operator.get(f"{PAGE}{foreign.number}/").status_code == 404
    assert operator.post(f"{PAGE}{foreign.number}/").status_code == 404
    assert "secret_function" not in says(operator.get(PAGE))
    save(operator, assistant=make_assistant(other).id)
    assert OutputSchema.objects.for_project(project).count() == 0


def test_a_link_of_the_desk_fills_the_form(operator, project):
    mine = make_assistant(project)
    page = operator.get(PAGE, {"function": "get_time", "assistant": mine.id}).content.decode()
    assert 'value="get_time"' in page
    assert f'<option value="{mine.id}" selected>' in page


def test_many_schemas_cost_no_more_queries(operator, project, django_assert_max_num_queries):
    for number in range(5):
        assistant = make_assistant(project)
        set_output_schema(project, f"f{number}", SCHEMA, assistant)
    with django_assert_max_num_queries(12):
        operator.get(PAGE)


# --- any schema, its form, and a value ---

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
LEAVES = st.one_of(
    st.sampled_from(["string", "number", "integer", "boolean", "null"]).map(lambda t: {"type": t}),
    st.sampled_from(["string", "number"]).map(lambda t: {"type": [t, "null"]}),
    st.sampled_from(["string", "number"]).map(lambda t: {"type": "array", "items": {"type": t}}),
    st.lists(SCALARS, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"oneOf": [{"const": value, "title": "x"}]}),
    st.just({"uniqueItems": True}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas of objects, of which some properties are required."""
    return st.dictionaries(TEXTS, inner, min_size=1, max_size=3).flatmap(
        lambda properties: st.lists(st.sampled_from(sorted(properties)), unique=True).map(
            lambda required: {"type": "object", "properties": properties, "required": required}
        )
    )


SCHEMAS = st.recursive(LEAVES, objects, max_leaves=6)


def in_order(value: Any) -> str:
    """A value as JSON that tells 1 from 1.0 and true, whatever the order of names."""
    return json.dumps(value, sort_keys=True)


def browser_sends(form: Any) -> dict[str, str]:
    """What a browser sends of a form: line breaks as CR LF, boxes only if ticked."""
    sent = {part.name: part.typed.replace("\n", "\r\n") for part in form.walk()}
    return sent | {f"{part.name}~null": "1" for part in form.walk() if part.null}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(schema=SCHEMAS, value=VALUES)
def test_whatever_a_form_is_filled_with_comes_back(schema, value):
    form = form_of(check_schema(schema), "value-0", "output-0")
    form.show(value)
    form.take(browser_sends(form))
    assert in_order(form.value(base=value)) == in_order(value)


def fitting(schema: Any) -> st.SearchStrategy[Any]:
    """Values of a schema, ABSENT among them where a property may be left out."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "oneOf" in schema:
        return st.just(schema["oneOf"][0]["const"])
    kinds = schema.get("type", "null")
    if kinds == "object":
        return st.fixed_dictionaries(
            {
                name: fitting(inner) if name in schema["required"] else st.just(ABSENT)
                for name, inner in schema["properties"].items()
            }
        )
    if kinds == "array":
        items = st.just("x") if schema["items"]["type"] == "string" else NUMBERS
        return st.lists(items, max_size=3)
    simple = {"string": st.just("a\nb"), "number": NUMBERS, "integer": st.integers(),
              "boolean": st.booleans(), "null": st.none()}  # fmt: skip
    return st.one_of([simple[kind] for kind in (kinds if isinstance(kinds, list) else [kinds])])


def without_absent(value: Any) -> Any:
    """A value without the properties that are left out."""
    if not isinstance(value, dict):
        return value
    return {name: without_absent(inner) for name, inner in value.items() if inner is not ABSENT}


@settings(max_examples=100, deadline=None)
@given(data=st.data(), schema=SCHEMAS)
def test_a_value_that_is_typed_into_an_empty_form_is_sent(data, schema):
    value = without_absent(data.draw(fitting(schema)))
    form = form_of(check_schema(schema), "value-0", "output-0")
    form.show(value)
    form.take(browser_sends(form))
    assert in_order(form.value()) == in_order(value)
    assert problems(schema, read_json(write_json(value))) == []
