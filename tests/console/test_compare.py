"""Two runs side by side."""

import pytest

from runs.console.comparison import LINES, SHOWN, payload
from runs.models import Message, RunStep, ToolCall
from tests.console.pages import says
from tests.factories import WEATHER, make_project, make_run, make_step, make_thread, text_part

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def compare(client, a, b, **more):
    return client.get("/console/compare/", {"a": a.id, "b": b.id, **more})


def run_with(project, *steps, **columns):
    """A run that has ended, with steps: a list of functions called, or a text."""
    run = make_run(make_thread(project), "completed", **columns)
    for made in steps:
        if isinstance(made, list):
            make_step(run, "tool_calls", calls=made)
        else:
            step = make_step(run)
            Message.objects.filter(id=step.message_id).update(content=[text_part(made)])
    return run


def shown(response):
    """Title of each pair, and which side has it."""
    return [
        (pair.title, "".join("ab"[i] for i, step in enumerate((pair.a, pair.b)) if step), pair.same)
        for pair in response.context["pairs"]
    ]


def test_steps_are_aligned_by_what_they_did(operator, project):
    a = run_with(project, ["get_weather"], ["get_time"], "It is mild.")
    b = run_with(project, ["get_weather"], ["get_time", "get_time"], "It is mild.", "More.")
    response = compare(operator, a, b)
    assert shown(response) == [
        ("get_weather", "ab", True),
        ("get_time", "a", False),
        ("get_time, get_time", "b", False),
        ("Message", "ab", True),
        ("Message", "b", False),
    ]
    assert "3 of 5 differ." in says(response)
    assert "Only in the first" in says(response)


def test_texts_are_compared_line_by_line(operator, project):
    a = run_with(project, "One\nTwo\nThree")
    b = run_with(project, "One\n2\nThree\u202e")
    page = compare(operator, a, b).content.decode()
    for sign, text in ((" ", "One"), ("-", "Two"), ("+", "2"), ("+", "Three\\u202e")):
        assert f'data-sign="{sign}"><span class="sign">{sign}</span><span>{text}</span>' in page


def test_figures_and_settings_that_differ(operator, project):
    a = run_with(project, "Hi", temperature=0.5, tools=[WEATHER], metadata={"k": "</td>"})
    b = run_with(project, "Hi", instructions="x" * 70_000, usage={**a.usage, "prompt_tokens": 13})
    b.assistant_id = a.assistant_id
    b.save()
    RunStep.objects.filter(run=b).update(usage={**USAGE, "total_tokens": 20})
    response = compare(operator, a, b)
    names = [setting.name for setting in response.context["settings"]]
    assert names == ["instructions", "tools", "temperature", "metadata"]
    text = says(response)
    assert "Tokens in 10 13 +3 tokens" in text
    assert "+5 tokens" in text  # of the step
    assert "Cut: 4 464 more characters." in text
    assert "&lt;/td&gt;" in response.content.decode()


def test_equal_runs_say_so(operator, project):
    run = run_with(project, "Hi", ["get_weather"])
    text = says(compare(operator, run, run))
    assert "both ran with the same settings" in text
    assert "All 2 made the same." in text


def test_a_pair_that_is_the_same_opens_when_asked(operator, project):
    run = run_with(project, "Mild and dry", ["get_weather"])
    assert "Mild" not in says(compare(operator, run, run))
    assert "Mild" in says(compare(operator, run, run, pair=1))
    for wrong in ("0", "3", "x", "\0"):
        assert compare(operator, run, run, pair=wrong).status_code == 404


def test_long_texts_are_cut_and_counted():
    made = payload("Text", "a" * (SHOWN + 5), "a" * (SHOWN + 7))
    assert (made.same, made.hidden, made.lines) == (False, 12, [])
    many = payload("Text", "a\n" * (LINES + 1), "b")
    assert [line.sign for line in many.lines] == ["-"] * (LINES + 1) + ["+"]


@pytest.mark.slow
def test_five_hundred_steps(operator, project, django_assert_max_num_queries):
    a, b = run_with(project), run_with(project)
    for run in (a, b):
        steps = RunStep.objects.bulk_create(
            RunStep(run=run, type="tool_calls", turn=turn, index=0, status="completed",
                    completed_at=run.created_at)
            for turn in range(1, 501)
        )  # fmt: skip
        ToolCall.objects.bulk_create(
            ToolCall(id=f"call_{step.turn}", run=run, step=step, index=0, name=f"f{step.turn % 7}",
                     arguments="{}", output=f"{run.number} " * 100)
            for step in steps
        )  # fmt: skip
    with django_assert_max_num_queries(16):
        response = compare(operator, a, b)
    assert len(response.context["pairs"]) == 500
    assert response.context["differ"] == 500
    assert sum(pair.payloads is not None for pair in response.context["pairs"]) == 10
    assert len(response.content) < 500_000


def test_what_to_compare_with(operator, project):
    thread = make_thread(project)
    before = make_run(thread, "completed")
    run = make_run(thread, "completed", rerun_of=before.id)
    again = make_run(make_thread(project), "completed", rerun_of=run.id)
    response = operator.get("/console/compare/", {"a": run.id})
    assert response.context["choices"] == [
        ("Previous run of the thread", before),
        ("Original of this rerun", before),
        ("Rerun of it", again),
    ]
    page = response.content.decode()
    assert f"?a={run.id}&amp;b={again.id}" in page
    response = operator.get("/console/compare/", {"a": run.id, "b": "run_<x>"})
    assert "No run with the id “run_<x>”" in says(response)


@pytest.mark.parametrize("given", [{}, {"a": "run_x"}, {"a": "\0"}, {"a": "", "view": "x"}])
def test_what_cannot_be_compared_is_told(operator, given):
    assert operator.get("/console/compare/", given).status_code == 404


def test_runs_of_another_project_are_not_there(operator, project):
    foreign, run = make_run(make_thread(make_project())), run_with(project)
    assert operator.get("/console/compare/", {"a": foreign.id}).status_code == 404
    assert "No run with the id" in says(compare(operator, run, foreign))
