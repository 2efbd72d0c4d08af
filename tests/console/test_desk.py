"""Tool outputs typed by a person: what is taken, and what comes back."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string

from runs.console.desk import desks_of
from runs.console.payload import SHOWN
from runs.contract.limits import CALLS, MESSAGE_TEXT
from runs.contract.roles import Role
from runs.contract.status import RunStatus
from runs.models import ToolCall
from runs.operations import cancel_run, set_output_schema, submit_tool_outputs
from tests.console.desk_form import answer_all, fields_of
from tests.console.pages import says
from tests.factories import make_key, make_run, make_step, make_thread

HTMX = {"HX-Request": "true"}


@pytest.fixture
def run(project):
    """A run that waits for two calls."""
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION, required_action={})
    make_step(run, "tool_calls", calls=["get_weather", "get_time"])
    return run


def url(run, tail="outputs/"):
    return f"/console/threads/{run.thread_id}/runs/{run.id}/{tail}"


def form(run, *outputs):
    """The fields of the desk with something typed in."""
    fields = {}
    for index, call in enumerate(ToolCall.objects.filter(run_id=run.id).order_by("index")):
        fields |= {
            f"call-{index}": call.id,
            f"name-{index}": call.name,
            f"output-{index}": outputs[index],
        }
    return fields


def html_of(run):
    """The desk of a run, without the page around it."""
    (desk,) = desks_of(run.project, [run], Role.OPERATOR)
    return render_to_string("console/_desk.html", {"desk": desk})


def test_the_page_asks_for_all_calls_at_once(operator, run):
    page = operator.get(url(run, ""))
    assert "2 calls need an output" in says(page)
    assert "Send all 2 outputs" in says(page)
    assert page.content.decode().count("<textarea") == 2


def test_outputs_are_taken_as_typed(operator, run):
    response = operator.post(url(run), form(run, "warm\r\nand dry", ""))
    assert response["location"] == url(run, "")
    outputs = ToolCall.objects.order_by("index").values_list("output", flat=True)
    assert list(outputs) == ["warm\nand dry", ""]
    run.refresh_from_db()
    assert run.status == RunStatus.QUEUED


def test_by_script_the_desk_closes(operator, run):
    response = operator.post(url(run), form(run, "a", "b"), headers=HTMX)
    assert response.status_code == 200
    assert says(response) == "2 outputs sent."
    assert 'data-calls=""' in response.content.decode()


def test_sending_twice_is_harmless(operator, run):
    operator.post(url(run), form(run, "a", "b"), headers=HTMX)
    again = operator.post(url(run), form(run, "a", "b"), headers=HTMX)
    assert again.status_code == 200


def test_of_two_people_the_second_is_told_what_was_taken(operator, run):
    calls = ToolCall.objects.order_by("index")
    submit_tool_outputs(run, [{"tool_call_id": c.id, "output": "theirs"} for c in calls])
    response = operator.post(url(run), form(run, "mine", "mine too"), headers=HTMX)
    assert response.status_code == 422
    said = says(response)
    assert "Other outputs were taken at" in said
    assert "Yours were not sent" in said
    assert "theirs" in said
    assert "mine too" in said
    assert set(ToolCall.objects.values_list("output", flat=True)) == {"theirs"}


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_was_typed_survives_the_end_of_the_run(operator, run, headers):
    cancel_run(run)
    response = operator.post(url(run), form(run, "<typed>", ""), headers=headers)
    assert response.status_code == 422
    assert "it is cancelled" in says(response)
    assert "&lt;typed&gt;" in response.content.decode()
    assert ("<html" in response.content.decode()) is not headers


def test_a_missing_or_invented_call_stores_nothing(operator, run):
    fields = form(run, "a", "b")
    invented = fields | {"call-1": "call_invented"}
    missing = {name: value for name, value in fields.items() if not name.endswith("-1")}
    for given in (invented, missing, {}):
        assert operator.post(url(run), given).status_code == 422
    assert not ToolCall.objects.exclude(output=None).exists()


def test_an_output_that_is_too_long_says_so_beside_it(operator, run):
    response = operator.post(url(run), form(run, "x" * (MESSAGE_TEXT + 1), "kept"), headers=HTMX)
    assert response.status_code == 422
    assert f"An output has at most {MESSAGE_TEXT}." in says(response)
    assert "kept" in response.content.decode()


def test_the_second_is_told_who_was_first(operator, run, project):
    ana = User.objects.create_user("ana")
    answer_all(run, "theirs", ana)
    assert "UTC, by ana. Yours" in says(operator.post(url(run), form(run, "a", "b"), headers=HTMX))
    same = says(operator.post(url(run), form(run, "theirs", "theirs"), headers=HTMX))
    assert re.fullmatch(r"The same outputs were taken at \d\d:\d\d:\d\d UTC, by ana\.", same)
    ana.delete()
    assert "UTC. Yours" in says(operator.post(url(run), form(run, "a", "b"), headers=HTMX))


def test_a_client_is_named_by_its_key(operator, run, project):
    key, _ = make_key(project, name="ci")
    answer_all(run, "theirs", key)
    said = says(operator.post(url(run), form(run, "a", "b"), headers=HTMX))
    assert f"by a client with the key ci ({key.shown})" in said


def test_who_answered_is_kept_with_the_calls(operator, run):
    operator.post(url(run), form(run, "a", "b"), headers=HTMX)
    assert {call.submitted_by_user.username for call in ToolCall.objects.all()} == {"admin"}
    said = says(operator.post(url(run), form(run, "c", "d"), headers=HTMX))
    assert "UTC, by you. Yours" in said


def test_arguments_are_told_in_the_words_of_the_tool(operator, project):
    tool = {"name": "get_weather", "parameters": {"properties": {"city": {
        "type": "string", "title": "City <b>", "description": "Where\u202e"}}}}  # fmt: skip
    tools = [{"type": "function", "function": tool}]
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION, tools=tools)
    page = operator.get(url(run, ""))
    assert "City <b> (city) Where\\u202e Oslo" in says(page)
    assert "City <b>" not in page.content.decode()


def test_many_desks_ask_no_more_than_one(project, django_assert_num_queries):
    runs = [make_run(make_thread(project), RunStatus.REQUIRES_ACTION) for _ in range(5)]
    runs.append(make_run(make_thread(project)))
    for some in (runs[:1], runs):
        with django_assert_num_queries(3):
            desks = desks_of(project, some, Role.OPERATOR)
        assert [len(desk.answers) for desk in desks] == [
            int(run.status != "queued") for run in some
        ]
    assert len({desk.id for desk in desks}) == len(desks)
    assert not any(desk.answers for desk in desks_of(project, runs, Role.READER))


def test_several_desks_stand_on_one_page(project):
    runs = [make_run(make_thread(project), RunStatus.REQUIRES_ACTION) for _ in range(2)]
    set_output_schema(project, "get_weather", {"type": "object", "properties": {"a": {}}})
    desks = desks_of(project, runs, Role.OPERATOR)
    page = "".join(render_to_string("console/_desk.html", {"desk": desk}) for desk in desks)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) > 6
    for name in re.findall(r'(?:for|labelledby|describedby)="([^" ]*)', page):
        assert name in ids


def test_more_calls_than_a_turn_has_are_refused(operator, run):
    many = {f"call-{index}": f"call_{index}" for index in range(2, CALLS + 1)}
    response = operator.post(url(run), form(run, "a", "b") | many, headers=HTMX)
    assert response.status_code == 422
    assert fields_of(response).keys() >= {f"call-{CALLS - 1}"}
    assert f"call-{CALLS}" not in fields_of(response)
    assert not ToolCall.objects.exclude(output=None).exists()


def test_outputs_of_an_earlier_turn_again_are_harmless_while_the_run_waits_anew(operator, run):
    fields = form(run, "a", "b")
    operator.post(url(run), fields, headers=HTMX)
    run.refresh_from_db()
    run.status = RunStatus.REQUIRES_ACTION
    run.save()
    make_step(run, "tool_calls", calls=["get_weather"])
    assert operator.post(url(run), fields, headers=HTMX).status_code == 200
    assert operator.post(url(run), fields | {"output-0": "c"}, headers=HTMX).status_code == 422


def test_large_arguments_are_cut_and_not_sent_back(operator, run):
    large = json.dumps({"text": "é" * 2 * SHOWN}, ensure_ascii=False)
    ToolCall.objects.filter(run_id=run.id, index=0).update(arguments=large)
    assert "Showing 128 KiB of 256 KiB." in html_of(run)
    page = operator.get(url(run, ""))
    assert "arguments-0" not in fields_of(page)
    assert sum(map(len, fields_of(page).values())) < 4096
    response = operator.post(url(run), form(run, "x" * (MESSAGE_TEXT + 1), ""), headers=HTMX)
    assert "Showing 128 KiB of 256 KiB." in says(response)


def test_large_arguments_are_cut_though_the_tool_describes_them(project):
    tool = {"name": "get_weather", "parameters": {"properties": {"city": {"title": "City"}}}}
    run = make_run(
        make_thread(project),
        RunStatus.REQUIRES_ACTION,
        tools=[{"type": "function", "function": tool}],
    )
    ToolCall.objects.filter(run_id=run.id).update(arguments=json.dumps({"city": "x" * 2 * SHOWN}))
    assert "Showing 64 KiB of 128 KiB." in html_of(run)


def test_hidden_characters_of_arguments_are_seen(run):
    ToolCall.objects.filter(run_id=run.id, index=0).update(
        arguments='{"path": "' + "/home/" * 20 + '\\u202egpj.exe"}'
    )
    ToolCall.objects.filter(run_id=run.id, index=1).update(arguments="no json\n\u200b")
    desk = html_of(run)
    assert "\u202e" not in desk
    assert "\u200b" not in desk
    assert "\\u202egpj.exe&quot;\n}" in desk
    assert "no json\n\\u200b" in desk
