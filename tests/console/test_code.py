"""Calls as code, and the page with a run's."""

import ast
import json
from dataclasses import replace

import pytest

from runs.console import code
from tests.console.pages import says, url
from tests.factories import (
    WEATHER,
    make_assistant,
    make_message,
    make_project,
    make_run,
    make_step,
    make_thread,
)

HOSTILE = (
    'It\'s "$5" `x` \\n \\ $(id) ${x} \u202e\u2028\U000e0041\u3164\x7f\r\n</script> ü 😀 '
    "''' JSON\nJSON"
)


def test_python_reads_back_what_was_written():
    body = {"assistant_id": "asst_1", "instructions": HOSTILE, "tools": [WEATHER, {}, []],
            "parallel_tool_calls": False, "temperature": 1e-7, "on_active_run": None}  # fmt: skip
    tree = ast.parse(code.python("http://h/v1", [code.create_run("thread_1", body)]))
    call = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "run"
    )
    given = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert given.pop("thread_id") == "thread_1"
    assert given.pop("extra_body") == {"on_active_run": None}
    assert given == {name: value for name, value in body.items() if name != "on_active_run"}
    assert ast.unparse(call.func) == "client.beta.threads.runs.create"


def test_json_reads_back_what_was_written():
    body = {"a": [HOSTILE, {HOSTILE: [1, 2.5, True, None]}], "long": ["x" * 50] * 5}
    assert json.loads(code.as_json(body)) == body


def test_hidden_characters_are_escapes_of_the_language():
    calls = [code.create_run("thread_1", {"instructions": "a\U000e0041b\u180e😀"})]
    codes = code.in_all("http://h/v1", calls)
    assert r'instructions="a\U000e0041b\u180e😀"' in codes["Python"]
    assert r'instructions: "a\udb40\udc41b\u180e😀"' in codes["Node.js"]
    assert r'"instructions": "a\udb40\udc41b\u180e😀"' in codes["curl"]


def test_halves_of_characters_stay_halves():
    text = "\ud83d and \ude00"
    assert ast.literal_eval(code.python_quoted(text)) == text
    assert json.loads(code.quoted(text)) == text


def nested(depth: int, width: int) -> dict[str, object]:
    """A schema of objects in objects."""
    if not depth:
        return {"type": "string"}
    inner = {f"property_{n}": nested(depth - 1, width) for n in range(width)}
    return {"type": "object", "properties": inner}


@pytest.mark.parametrize(("depth", "width"), [(60, 1), (6, 2)])
def test_nested_values_are_written_in_bounded_work(depth, width):
    written = []

    def counted(name: str) -> str:
        written.append(name)
        return code.quoted(name)

    schema = nested(depth, width)
    text = replace(code.JSON, key=counted).literal(schema)
    assert json.loads(text) == schema
    keys = text.count('": ')
    assert len(written) <= 6 * keys  # once in its own line, else only in tries of one line


def test_a_value_is_broken_only_where_it_does_not_fit():
    fits = {"a": "x" * (code.WIDTH - 9)}
    assert code.as_json(fits) == json.dumps(fits)
    assert code.as_json({"a": "x" * (code.WIDTH - 8)}).count("\n") == 2
    assert code.as_json({"b": {"a": "x" * (code.WIDTH - 11)}, "c": [], "d": {}}) == (
        '{\n  "b": {"a": "%s"},\n  "c": [],\n  "d": {}\n}' % ("x" * (code.WIDTH - 11))
    )


def test_a_run_is_shown_as_code(operator, project):
    assistant = make_assistant(project, temperature=0.5)
    thread = make_thread(project)
    make_message(thread, "Before")
    make_message(thread, "Answered", role="assistant")
    make_message(thread, "Asked")
    run = make_run(
        thread, "completed", assistant, instructions="Be.", tools=[WEATHER], metadata={"k": "v"},
        tool_choice="required", max_prompt_tokens=300, parallel_tool_calls=False,
        truncation_strategy={"type": "auto", "last_messages": None},
    )  # fmt: skip
    make_step(run)
    response = operator.get(url(run, "code/"))
    text = says(response)
    assert "Before" in text
    assert "Hi!" not in text  # what it answered itself
    tree = ast.parse(response.context["codes"]["Python"])
    calls = [node.value for node in tree.body if isinstance(node, ast.Assign)][1:]
    given = [{w.arg: ast.unparse(w.value) for w in call.keywords} for call in calls]
    assert ast.literal_eval(given[0]["messages"])[2] == {"role": "user", "content": "Asked"}
    # PostgreSQL keeps the keys of JSON in an order of its own.
    assert ast.literal_eval(given[1].pop("tools")) == [WEATHER]
    assert given[1] == {
        "thread_id": "thread.id", "assistant_id": repr(assistant.id), "model": "'gpt-4o'",
        "instructions": "'Be.'", "temperature": "1", "tool_choice": "'required'",
        "truncation_strategy": "{'type': 'auto'}", "max_prompt_tokens": "300",
        "parallel_tool_calls": "False", "metadata": "{'k': 'v'}",
    }  # fmt: skip


def test_a_deleted_assistant_is_made_anew(operator, project):
    run = make_run(make_thread(project), "completed")
    run.assistant_id = "asst_gone"
    run.save()
    assert 'client.beta.assistants.create( model="gpt-4o", )' in says(
        operator.get(url(run, "code/"))
    )


def test_submitted_outputs_are_shown_as_code(operator, project):
    run = make_run(make_thread(project), "completed")
    step = make_step(run, "tool_calls", calls=["get_weather", "get_time"])
    page = operator.get(url(run, "code/"))
    assert page.context["submissions"] == []
    step.tool_calls.update(output="21 °C", submitted_at=run.created_at)
    text = says(operator.get(url(run, "code/")))
    assert f'client.beta.threads.runs.submit_tool_outputs( thread_id="{run.thread_id}"' in text
    assert f'"tool_call_id": "{step.tool_calls.first().id}", "output": "21 °C"' in text
    assert "submitToolOutputs" in text
    assert f"post /threads/{run.thread_id}/runs/{run.id}/submit_tool_outputs" in text


@pytest.mark.parametrize("ending", ["py", "mjs", "sh"])
def test_long_code_is_downloaded(operator, project, ending):
    thread = make_thread(project)
    make_message(thread, "x" * 100_000)
    run = make_run(thread, "completed")
    assert f".{ending} file has" in says(operator.get(url(run, "code/")))
    response = operator.get(url(run, f"code/?download={ending}"))
    assert response["content-disposition"] == f'attachment; filename="{run.id}.{ending}"'
    assert "x" * 100_000 in response.content.decode()


def test_other_files_and_runs_are_not_there(operator, project):
    run = make_run(make_thread(project), "completed")
    assert operator.get(url(run, "code/?download=exe")).status_code == 404
    foreign = make_run(make_thread(make_project()))
    assert operator.get(url(foreign, "code/")).status_code == 404
