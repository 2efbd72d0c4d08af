"""The events of each text scenario, exactly (assistants streaming reference); what is stored."""

import json

from runs.models import Message, RunStep
from tests.execution.scene import (
    OPEN,
    START,
    TEXT_TURN,
    check_sane,
    data_of,
    delta_text,
    events_of,
    message_text,
    story,
)
from tests.upstream_script import DONE, END, call, finish, text, usage


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
