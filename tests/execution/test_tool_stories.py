"""The events of each scenario with tool calls, exactly, and what is stored."""

import pytest

from runs.models import Message, RunStep
from tests.execution.scene import START, TEXT_TURN, TOOLS, check_sane, data_of, story
from tests.upstream_script import DROP, call, finish, text

pytestmark = pytest.mark.slow

CALL_TURN = f"{TOOLS} step.delta*3 run.requires_action"


def calls_of(run):
    """What the run asks for, as (name, arguments)."""
    calls = run.required_action["submit_tool_outputs"]["tool_calls"]
    return [(c["function"]["name"], c["function"]["arguments"]) for c in calls]


def told_calls(run):
    """The calls as a reader puts them together from the deltas, and the order of the indexes."""
    calls, order = {}, []
    for delta in data_of(run, "thread.run.step.delta"):
        (part,) = delta["delta"]["step_details"]["tool_calls"]
        if part["index"] not in calls:
            calls[part["index"]] = {"id": part["id"], "name": part["function"]["name"], "text": ""}
            assert part["function"] == {
                "name": part["function"]["name"], "arguments": "", "output": None,
            }  # fmt: skip
        else:
            assert set(part["function"]) == {"arguments"}
            calls[part["index"]]["text"] += part["function"]["arguments"]
        order.append(part["index"])
    return [calls[index] for index in sorted(calls)], order


def test_one_tool(scene):
    run = scene.drive(scene.create("tools-1-then-text-3"))
    assert run.status == "requires_action"
    assert story(run) == f"{START} {CALL_TURN}"
    assert calls_of(run) == [("get_weather", '{"n": 0}')]
    assert run.lease_owner == ""
    step = RunStep.objects.get(run=run)
    assert (step.type, step.status) == ("tool_calls", "in_progress")
    (told,) = data_of(run, "thread.run.requires_action")
    assert told["required_action"] == run.required_action
    assert told["usage"] is None
    run = scene.answer(run)
    assert run.status == "completed"
    resumed = f"step.completed run.queued run.in_progress {TEXT_TURN} run.completed"
    assert story(run) == f"{START} {CALL_TURN} {resumed}"
    (done, _) = data_of(run, "thread.run.step.completed")
    assert done["step_details"]["tool_calls"][0]["function"]["output"] == "ok"
    assert done["usage"]["total_tokens"] > 0
    assert run.required_action is None
    check_sane(run)


def test_parallel_calls_are_one_step(scene):
    run = scene.drive(scene.create("tools-2"))
    assert story(run) == f"{START} {TOOLS} step.delta*6 run.requires_action"
    assert calls_of(run) == [("get_weather", '{"n": 0}'), ("get_time", '{"n": 1}')]
    told, order = told_calls(run)
    assert order == [0, 0, 0, 1, 1, 1]
    assert [(call["name"], call["text"]) for call in told] == calls_of(run)


def test_several_rounds(scene):
    run = scene.drive(scene.create("tools-1-then-tools-2-then-text-3"))
    run = scene.answer(run)
    assert run.status == "requires_action"
    run = scene.answer(run)
    assert run.status == "completed"
    assert run.turn == 3
    assert [step.turn for step in RunStep.objects.filter(run=run)] == [1, 2, 3]
    assert len(scene.upstream.requests) == 3
    check_sane(run)


FRAGMENTS = {
    "in one piece": [call('{"a": 1}', call_id="c1", name="get_time")],
    "in many pieces": [
        call("", call_id="c1", name="get_time"),
        *(call(char) for char in '{"a": 1}'),
    ],
    "without ids": [call('{"a"', name="get_time"), call(": 1}")],
    "without index": [
        call('{"a"', index=None, call_id="c1", name="get_time"),
        call(": 1}", index=None),
    ],
}


@pytest.mark.parametrize("plan", FRAGMENTS.values(), ids=FRAGMENTS)
def test_a_call_in_fragments(scene, plan):
    run = scene.play(*plan, finish("tool_calls"))
    assert calls_of(run) == [("get_time", '{"a": 1}')]
    told, _ = told_calls(run)
    assert [(c["name"], c["text"]) for c in told] == calls_of(run)


def test_interleaved_calls_are_told_one_after_the_other(scene):
    """openai-python takes a new index for the end of the call before."""
    run = scene.play(
        call("", index=0, call_id="a", name="get_weather"),
        call("", index=1, call_id="b", name="get_time"),
        call('{"n"', index=0),
        call('{"n"', index=1),
        call(": 0}", index=0),
        call(": 1}", index=1),
    )
    assert calls_of(run) == [("get_weather", '{"n": 0}'), ("get_time", '{"n": 1}')]
    told, order = told_calls(run)
    assert order == sorted(order)
    assert [(c["name"], c["text"]) for c in told] == calls_of(run)
    scene.upstream.play([text("Fine.")])
    assert scene.answer(run).status == "completed"


def test_calls_that_share_an_id_get_ids_of_their_own(scene):
    run = scene.play(
        call("{}", index=0, call_id="same", name="get_weather"),
        call("{}", index=1, call_id="same", name="get_time"),
    )
    ids = [c["id"] for c in run.required_action["submit_tool_outputs"]["tool_calls"]]
    assert len(set(ids)) == 2


def test_an_id_used_in_an_earlier_turn_is_not_used_again(scene):
    scene.upstream.play([call("{}", call_id="c1", name="get_time")])
    run = scene.drive(scene.create())
    scene.upstream.play([call("{}", call_id="c1", name="get_time")])
    run = scene.answer(run)
    assert run.status == "requires_action"
    assert run.required_action["submit_tool_outputs"]["tool_calls"][0]["id"] != "c1"
    scene.upstream.play([text("Fine.")])
    assert scene.answer(run).status == "completed"


def test_arguments_that_are_not_json_are_the_clients_business(scene):
    run = scene.play(call("{oops", call_id="c1", name="get_time"))
    assert calls_of(run) == [("get_time", "{oops")]


@pytest.mark.parametrize("also", [False, True])
def test_no_arguments_are_an_empty_object(scene, also):
    more = [call("{}", index=1, call_id="c2", name="get_weather")] if also else []
    run = scene.play(call("", call_id="c1", name="get_time"), *more)
    assert calls_of(run)[0] == ("get_time", "{}")
    told, order = told_calls(run)
    assert [(c["name"], c["text"]) for c in told] == calls_of(run)
    assert order == sorted(order)


def test_text_then_calls(scene):
    run = scene.drive(scene.create("text-3+tools-1-then-text-3"))
    first = f"{TEXT_TURN} {TOOLS} step.delta*2 run.requires_action"
    assert story(run) == f"{START} {first}"
    message_step, tool_step = RunStep.objects.filter(run=run)
    assert (message_step.index, tool_step.index) == (0, 1)
    assert message_step.usage is None
    assert tool_step.usage["total_tokens"] > 0
    run = scene.answer(run)
    assert run.status == "completed"
    said = scene.upstream.requests[1].messages[-2]
    assert (said["content"], len(said["tool_calls"])) == ("w0 w1 w2 ", 1)


def test_blank_before_calls_is_no_message(scene):
    run = scene.play(text("\n\n"), call("{}", call_id="c1", name="get_time"))
    assert run.status == "requires_action"
    assert not Message.objects.filter(run=run)


def test_length_inside_a_call(scene):
    run = scene.play(call('{"a', call_id="c1", name="get_time"), finish("length"))
    assert run.status == "incomplete"
    assert story(run) == f"{START} {TOOLS} step.delta*2 step.failed run.incomplete"
    check_sane(run)


def test_failure_in_the_middle_of_a_call(scene):
    run = scene.play(call('{"a', call_id="c1", name="get_time"), DROP)
    assert story(run) == f"{START} {TOOLS} step.delta*2 step.failed run.failed"
    check_sane(run)


def test_each_turn_notes_when_the_model_was_asked_and_when_its_calls_were_whole(scene):
    run = scene.answer(scene.drive(scene.create("text-3+tools-1-then-text-3")))
    text_step, calls, answer = RunStep.objects.filter(run=run).order_by("number")
    assert run.started_at <= text_step.asked_at <= text_step.created_at
    assert calls.asked_at is None  # not the beginning of its turn
    assert text_step.completed_at <= calls.created_at <= calls.called_at <= calls.completed_at
    assert calls.completed_at <= answer.asked_at <= answer.created_at <= answer.completed_at
    assert answer.called_at is None
