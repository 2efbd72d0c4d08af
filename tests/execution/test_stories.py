"""The events of each scenario, exactly (assistants streaming reference), and what is stored."""

import json

import pytest

from runs.models import Message, RunStep
from tests.execution.scene import (
    OPEN,
    START,
    TOOLS,
    check_sane,
    data_of,
    delta_text,
    events_of,
    message_text,
    story,
)
from tests.upstream_script import DONE, DROP, END, call, finish, text, usage

TEXT_TURN = f"{OPEN} message.delta*3 message.completed step.completed"
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


def test_plain(scene):
    run = scene.drive(scene.create("text-3"))
    assert run.status == "completed"
    assert story(run) == f"{START} {TEXT_TURN} run.completed"
    message = Message.objects.get(run=run)
    assert message_text(message) == delta_text(run) == "w0 w1 w2 "
    assert message.status == "completed"
    assert RunStep.objects.get(run=run).message_id == message.id
    check_sane(run)


def test_the_first_delta_of_a_text_has_annotations_and_no_delta_has_a_role(scene):
    run = scene.drive(scene.create("text-2"))
    deltas = [delta["delta"] for delta in data_of(run, "thread.message.delta")]
    assert deltas == [
        {"content": [{"index": 0, "type": "text", "text": {"value": "w0 ", "annotations": []}}]},
        {"content": [{"index": 0, "type": "text", "text": {"value": "w1 "}}]},
    ]


def test_run_objects_in_the_stream_show_the_run_after_the_change(scene):
    run = scene.drive(scene.create())
    assert [data_of(run, f"thread.run.{s}")[0]["status"] for s in ("created", "queued")] == [
        "queued", "queued",
    ]  # fmt: skip
    (started,) = data_of(run, "thread.run.in_progress")
    assert started["started_at"] is not None
    assert started["usage"] is None
    (ended,) = data_of(run, "thread.run.completed")
    assert ended["expires_at"] is None
    assert ended["usage"]["total_tokens"] > 0


def test_create_thread_and_run_begins_with_the_thread(scene):
    from runs import operations

    run = operations.create_thread_and_run(
        scene.project,
        {
            "assistant_id": scene.assistant.id,
            "model": "text-3",
            "thread": {"messages": [{"role": "user", "content": "Hi"}]},
        },
    )
    run = scene.drive(run)
    assert story(run) == f"created {START} {TEXT_TURN} run.completed"


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


def test_blank_before_text_belongs_to_it(scene):
    run = scene.play(text("\n"), text(" "), text("Hi"))
    assert delta_text(run) == message_text(Message.objects.get(run=run)) == "\n Hi"


def test_refusal(scene):
    run = scene.drive(scene.create("refuse-3"))
    assert run.status == "completed"
    assert story(run) == f"{START} {TEXT_TURN} run.completed"
    delta = data_of(run, "thread.message.delta")[0]["delta"]["content"]
    assert delta == [{"index": 0, "type": "refusal", "refusal": "w0 "}]
    assert Message.objects.get(run=run).content == [{"type": "refusal", "refusal": "w0 w1 w2 "}]


def test_length(scene):
    run = scene.drive(scene.create("length-3"))
    assert (run.status, run.incomplete_reason) == ("incomplete", "max_completion_tokens")
    tail = "message.incomplete step.completed run.incomplete"
    assert story(run) == f"{START} {OPEN} message.delta*3 {tail}"
    message = Message.objects.get(run=run)
    assert (message.status, message.incomplete_reason) == ("incomplete", "max_tokens")
    assert run.completed_at is not None
    assert run.usage["completion_tokens"] == 3
    check_sane(run)


def test_content_filter(scene):
    run = scene.drive(scene.create("filter-3"))
    assert (run.status, run.incomplete_reason) == ("incomplete", "content_filter")
    assert Message.objects.get(run=run).incomplete_reason == "content_filter"


def test_length_inside_a_call(scene):
    run = scene.play(call('{"a', call_id="c1", name="get_time"), finish("length"))
    assert run.status == "incomplete"
    assert story(run) == f"{START} {TOOLS} step.delta*2 step.failed run.incomplete"
    check_sane(run)


def test_empty_answer(scene):
    run = scene.play(finish())
    assert run.status == "completed"
    assert story(run) == f"{START} run.completed"
    check_sane(run)


def test_failure_before_the_first_delta(scene):
    run = scene.drive(scene.create("status-401"))
    assert run.status == "failed"
    assert story(run) == f"{START} run.failed"
    assert run.failed_at is not None
    check_sane(run)


def test_failure_after_the_first_delta(scene):
    run = scene.drive(scene.create("drop-3"))
    assert run.status == "failed"
    tail = "message.incomplete step.failed run.failed"
    assert story(run) == f"{START} {OPEN} message.delta*3 {tail}"
    message, step = Message.objects.get(run=run), RunStep.objects.get(run=run)
    assert (message.status, message.incomplete_reason) == ("incomplete", "run_failed")
    assert message_text(message) == delta_text(run) == "w0 w1 w2 "
    assert step.last_error == run.last_error
    assert len(scene.upstream.requests) == 1
    check_sane(run)


def test_failure_in_the_middle_of_a_call(scene):
    run = scene.play(call('{"a', call_id="c1", name="get_time"), DROP)
    assert story(run) == f"{START} {TOOLS} step.delta*2 step.failed run.failed"
    check_sane(run)


def test_usage_is_summed_over_turns(scene):
    scene.upstream.play(
        [
            call("{}", call_id="c1", name="get_time"),
            finish("tool_calls"),
            usage(100, 20, prompt_tokens_details={"cached_tokens": 7}),
            DONE,
            END,
        ]
    )
    run = scene.drive(scene.create())
    scene.upstream.play(
        [
            text("Hi"),
            finish(),
            usage(50, 3, completion_tokens_details={"reasoning_tokens": 2}),
            DONE,
            END,
        ]
    )
    run = scene.answer(run)
    assert run.usage == {
        "prompt_tokens": 150,
        "completion_tokens": 23,
        "total_tokens": 173,
        "prompt_token_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    first, second = RunStep.objects.filter(run=run).order_by("turn")
    assert first.usage == {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_token_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert second.usage == {
        "prompt_tokens": 50,
        "completion_tokens": 3,
        "total_tokens": 53,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def test_usage_is_estimated_where_none_is_reported(scene):
    run = scene.play(text("x" * 40), finish(), DONE, END)
    assert run.status == "completed"
    assert run.usage["completion_tokens"] == 10
    assert run.usage["prompt_tokens"] > 5


def test_awkward_text_comes_through(scene):
    awkward = "a\u2028b\u0085c\r\nd\n\ne\u0000f\U0001f600"
    run = scene.play(text(awkward))
    assert delta_text(run) == message_text(Message.objects.get(run=run))
    assert delta_text(run) == awkward.replace("\0", "\ufffd")
    assert all(len(event.data.split("\n")) == 1 for event in events_of(run))
    json.loads(events_of(run)[-1].data)
