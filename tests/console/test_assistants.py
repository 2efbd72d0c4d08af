"""Assistants in the console: the list, the editor, versions, and deleting."""

import pytest

from runs import operations
from runs.console.paging import ROWS
from runs.console.views.assistants import VERSIONS
from runs.contract.roles import Role
from runs.models import Assistant, AssistantVersion
from tests.console.pages import says
from tests.console.test_roles import sign_in
from tests.factories import WEATHER, make_assistant, make_project, make_run, make_thread

FIELDS = {"name": "Helper", "model": "gpt-4o", "instructions": "Be brief.", "version": "0"}
HOSTILE = "<script>alert(1)</script>\u202e"


def url(assistant, tail=""):
    return f"/console/assistants/{assistant.id}/{tail}"


def made(project, **fields):
    return operations.create_assistant(project, {"model": "gpt-4o", "name": "Helper", **fields})


# --- the list ---


def test_the_list_shows_what_each_assistant_is_and_does(operator, project):
    assistant = made(project, tools=[WEATHER])
    for status in ("completed", "failed"):
        make_run(make_thread(project), status, assistant)
    make_assistant(make_project(), name="Stranger")
    page = operator.get("/console/assistants/")
    words = says(page)
    assert "Helper gpt-4o gpt-4o get_weather v1 2 just now" in words
    assert "Stranger" not in words
    assert url(assistant, "versions/") in page.content.decode()


@pytest.mark.parametrize("word", ["REFUND", "gpt-x", "asst_Refunds"])
def test_the_list_is_searched_by_name_model_and_id(operator, project, word):
    make_assistant(project, name="Refunds", model="gpt-x", id="asst_Refunds")
    make_assistant(project, name="Other")
    words = says(operator.get("/console/assistants/", {"q": f" {word} "}))
    assert "Refunds" in words
    assert "Other" not in words


@pytest.mark.parametrize("word", ["nothing", "\0", "%"])
def test_a_search_without_results_says_so(operator, project, word):
    make_assistant(project)
    words = says(operator.get("/console/assistants/", {"q": word}))
    assert "No assistant has “" in words
    assert "Show all assistants" in words


def test_pages_keep_the_search_and_take_a_fixed_number_of_queries(
    operator, project, django_assert_max_num_queries
):
    rows = [make_assistant(project, name=f"a & {n}") for n in range(ROWS + 1)]
    make_run(make_thread(project), "completed", rows[-1])
    with django_assert_max_num_queries(13):
        page = operator.get("/console/assistants/", {"q": "a &"}).content.decode()
    assert f"?q=a%20%26&amp;after={rows[1].id}" in page
    assert "a &amp; 0<" in operator.get(f"/console/assistants/?after={rows[1].id}").content.decode()


def test_no_assistants_yet(operator):
    assert "No assistants yet" in says(operator.get("/console/assistants/"))


# --- the editor ---


def test_an_assistant_is_made_with_every_setting(operator, project):
    response = operator.post(
        "/console/assistants/new/",
        FIELDS | {
            "description": "Knows.", "instructions": "One\r\ntwo", "temperature": "0",
            "top_p": "0.5", "reasoning_effort": "low", "metadata": '{"k": "v"}',
            "response_format": "json_schema", "json_schema": '{"name": "answer", "strict": null}',
            "tools": '[{"type": "function", "function": {"name": "f", "description": null}}]',
        },
    )  # fmt: skip
    row = Assistant.objects.get()
    assert response["location"] == url(row)
    assert (row.project, row.name, row.instructions) == (project, "Helper", "One\ntwo")
    assert (row.temperature, row.top_p, row.reasoning_effort) == (0.0, 0.5, "low")
    assert row.response_format == {"type": "json_schema", "json_schema": {"name": "answer"}}
    assert row.tools == [{"type": "function", "function": {"name": "f"}}]
    assert row.metadata == {"k": "v"}
    assert AssistantVersion.objects.get().user.username == "admin"


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("model", "", "This field is required."),
        ("tools", "[", "This is not JSON"),
        ("tools", '[{"type": "function"}]', "Missing required parameter: 'tools[0].function'"),
        ("tools", '{"a": 1}', "Invalid type for 'tools'"),
        ("metadata", '{"a": 1}', "Invalid type for 'metadata.a'"),
        ("response_format", "json_schema", "Missing required parameter: 'response_format.json"),
        ("json_schema", '{"name": "x"}', "Only “JSON of a schema” has a schema."),
        ("temperature", "3", "less than or equal to 2"),
        ("temperature", "nan", "Enter a number."),
        ("name", "a\0", "Null characters are not allowed."),
        ("version", "x", "Enter a whole number."),
    ],
)
def test_what_is_refused_comes_back_as_typed(operator, project, field, value, complaint):
    for path in ("/console/assistants/new/", url(made(project))):
        typed = FIELDS | {"instructions": "Kept <here>", field: value}
        response = operator.post(path, typed)
        assert response.status_code == 422
        assert complaint in says(response)
        assert "Kept &lt;here&gt;" in response.content.decode()
    assert Assistant.objects.get().version == 1


def test_saving_what_the_editor_shows_changes_nothing(operator, project):
    assistant = made(
        project,
        tools=[WEATHER, {"type": "file_search", "file_search": {"max_num_results": 3}}],
        tool_resources={"file_search": {"vector_store_ids": ["vs_1"]}},
        temperature=0.0, instructions=" two\n\nlines ", metadata={"k": "v"},
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    )  # fmt: skip
    page = operator.get(url(assistant))
    form = page.context["form"]
    shown = {name: form[name].value() for name in form.fields}
    typed = {name: "" if value is None else value for name, value in shown.items()}
    assert "Nothing was changed." in says(operator.post(url(assistant), typed, follow=True))
    assert Assistant.objects.get().version == 1
    typed["instructions"] = ""
    assert "Saved as v2." in says(operator.post(url(assistant), typed, follow=True))
    row = Assistant.objects.get()
    assert (row.instructions, row.tools, row.temperature) == (None, assistant.tools, 0.0)
    assert row.tool_resources == {"file_search": {"vector_store_ids": ["vs_1"]}}


def test_nobody_saves_over_what_they_have_not_seen(operator, project):
    assistant = made(project, instructions="Old.")
    operations.update_assistant(assistant, {"instructions": "Theirs."})
    typed = FIELDS | {"instructions": "Mine.", "version": "1"}
    response = operator.post(url(assistant), typed)
    words = says(response)
    assert response.status_code == 409
    assert "Nothing was saved: somebody saved v2 while you were typing." in words
    assert "- Theirs. + Mine." in words
    assert Assistant.objects.get().instructions == "Theirs."
    assert response.context["form"]["instructions"].value() == "Mine."
    typed["version"] = response.context["version"]
    assert "Saved as v3." in says(operator.post(url(assistant), typed, follow=True))


def test_a_check_saves_nothing_and_shows_the_functions(operator, project):
    tools = (
        '[{"type": "function", "function": {"name": "get_weather", "parameters": {"properties": '
        '{"city": {"type": "string", "description": "Its name."}, "days": {"enum": [1, 3]}}, '
        '"required": ["city"]}}}]'
    )
    response = operator.post("/console/assistants/new/", FIELDS | {"tools": tools, "check": "1"})
    words = says(response)
    assert response.status_code == 200
    assert "All of it is well. Nothing is saved yet." in words
    assert "city required string Its name. days one of 1, 3" in words
    assert Assistant.objects.count() == 0


@pytest.mark.parametrize(
    "parameters",
    [None, {}, {"properties": []}, {"properties": {"a": True}, "required": 1},
     {"properties": {"a": {"type": ["string", "null"], "enum": 3, "items": {}}}},
     {"properties": {"a": {"type": "array", "items": {"type": "array", "items": {}}}}}],
)  # fmt: skip
def test_any_schema_has_a_preview(operator, project, parameters):
    function = {"name": "f", "parameters": parameters}
    assistant = made(project, tools=[{"type": "function", "function": function}])
    assert operator.get(url(assistant)).status_code == 200


def test_a_reader_sees_but_changes_nothing(project):
    assistant = made(project)
    words = says(sign_in(project, Role.READER).get(url(assistant)))
    assert "Changing an assistant needs the role operator." in words
    for word in ("Save", "Delete this assistant", "Run this assistant"):
        assert word not in words


# --- versions ---


def test_versions_say_who_changed_what_and_come_back(operator, project):
    assistant = made(project, instructions="One\nTwo\nThree")
    operator.post(url(assistant), FIELDS | {"instructions": "One\n2\nThree", "version": "1"})
    words = says(operator.get(url(assistant, "versions/")))
    assert "v2 now just now by admin Instructions One - Two + 2 Three" in words
    assert "The first version." in words
    response = operator.post(url(assistant, "versions/1/restore/"), follow=True)
    assert "v1 is back, as v3." in says(response)
    assert Assistant.objects.get().instructions == "One\nTwo\nThree"
    again = operator.post(url(assistant, "versions/1/restore/"), follow=True)
    assert "Nothing was changed." in says(again)
    assert operator.post(url(assistant, "versions/9/restore/")).status_code == 404


def test_versions_have_pages(operator, project):
    assistant = made(project)
    for number in range(VERSIONS):
        operations.update_assistant(assistant, {"name": f"n{number}"})
    first = operator.get(url(assistant, "versions/")).content.decode()
    assert 'id="v2"' in first
    assert 'id="v1"' not in first
    assert 'id="v1"' in operator.get(url(assistant, "versions/?below=2")).content.decode()
    for wrong in ("x", "-1", "9" * 30, "\u0663"):
        assert operator.get(url(assistant, "versions/"), {"below": wrong}).status_code == 404


def test_versions_of_a_deleted_assistant_stay(operator, project):
    assistant = made(project)
    response = operator.post(url(assistant, "delete/"), follow=True)
    assert "The assistant “Helper” is deleted." in says(response)
    assert operator.get(url(assistant)).status_code == 404
    words = says(operator.get(url(assistant, "versions/")))
    assert "This assistant was deleted." in words
    assert "Restore" not in words


def test_an_assistant_older_than_versions_has_none_yet(operator, project):
    assistant = make_assistant(project)
    assert "No versions yet" in says(operator.get(url(assistant, "versions/")))


def test_the_assistant_of_another_project_is_not_there(operator):
    assistant = made(make_project())
    for tail in ("", "versions/"):
        assert operator.get(url(assistant, tail)).status_code == 404
    for tail in ("", "delete/", "versions/1/restore/"):
        assert operator.post(url(assistant, tail), FIELDS).status_code == 404
    assert operator.get("/console/assistants/a%00/versions/").status_code == 404


def test_hostile_words_stay_words(operator, project):
    function = {"name": "f", "parameters": {"properties": {HOSTILE: {"type": HOSTILE}}}}
    assistant = made(project, name=HOSTILE, tools=[{"type": "function", "function": function}])
    operations.update_assistant(assistant, {"instructions": HOSTILE, "description": HOSTILE})
    for path in ("/console/assistants/", url(assistant), url(assistant, "versions/")):
        page = operator.get(path).content.decode()
        assert "<script>alert" not in page
        assert "alert(1)&lt;/script&gt;\\u202e" in page
