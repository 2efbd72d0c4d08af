"""Frames: what a page is sent for which events. Hostile text stays text."""

import json

import pytest

from runs.console import render
from runs.console.pages import Seat
from runs.contract.roles import Role
from runs.contract.status import MessageStatus, RunStatus, StepStatus
from runs.events import log
from runs.models import RunStep
from runs.wire.deltas import call_arguments, call_opening, text_delta
from runs.wire.objects import message_object, run_object, step_object
from tests.console.pages import partials, targets, text_of
from tests.factories import make_events, make_message, make_run, make_step, make_thread, text_part

HOSTILE = "</hx-partial><hx-partial hx-target='body'><script>x</script>\r\n{{ x }} & 'q'"


@pytest.fixture
def run(project):
    return make_run(make_thread(project), RunStatus.IN_PROGRESS)


def frames(project, run, after, events):
    return [
        frame.text() for frame in render.frames(Seat(project, Role.ADMIN), run.id, after, events)
    ]


def opened(run):
    """A message step whose message is being written."""
    message = make_message(run.thread, role="assistant", run=run, content=[], status="in_progress")
    step = make_step(run, message_id=message.id)
    facts = [
        ("thread.run.step.created", step_object(step, run, [])),
        ("thread.run.step.in_progress", step_object(step, run, [])),
        ("thread.message.created", message_object(message)),
        ("thread.message.in_progress", message_object(message)),
    ]
    return message, make_events(run, *facts)


def deltas(run, message, *texts):
    facts = [
        ("thread.message.delta", text_delta(message.id, 0, text, first=i == 0))
        for i, text in enumerate(texts)
    ]
    return make_events(run, *facts)


def test_deltas_are_appended_in_one_partial_a_message(project, run):
    message, _ = opened(run)
    events = deltas(run, message, "a ", "<b>", "\r\n")
    assert render.only_deltas(events)
    frame = render.delta_frame(events[0].prev, events)
    assert partials(frame.text()) == [(f"#{message.id}-text", "beforeend", "a &lt;b&gt;&#13;\n")]
    assert (frame.after, frame.number) == (events[0].prev, events[-1].number)


def test_hostile_text_cannot_leave_its_place(project, run):
    message, _ = opened(run)
    events = deltas(run, message, HOSTILE)
    (live,) = partials(render.delta_frame(events[0].prev, events).text())
    assert "<" not in live[2]
    assert text_of(live[2]) == " ".join(HOSTILE.split())
    message.content, message.status = [text_part(HOSTILE)], MessageStatus.INCOMPLETE
    message.save()
    done = make_events(run, ("thread.message.incomplete", message_object(message)))
    for frame in frames(project, run, done[0].prev, done):
        assert len(partials(frame)) == json.loads(frame)["content"].count("<hx-partial")
        assert "<script" not in frame


def test_a_new_step_is_put_at_the_end_once(project, run):
    message, events = opened(run)
    step = RunStep.objects.get()
    (frame,) = frames(project, run, 0, events)
    found = {target: inner for target, _, inner in partials(frame)}
    inner = found[f"#steps:not(:has(#{step.id}))"]
    assert f'id="{message.id}-text"' in inner
    assert "#run-head" in found


def test_states_and_deltas_are_frames_of_their_own(project, run):
    """Targets are looked up before a frame is swapped in, so text needs the frame before."""
    message, first = opened(run)
    second = deltas(run, message, "a", "b")
    made = frames(project, run, 0, [*first, *second])
    assert [targets(frame)[-1] for frame in made] == [f"#{message.id}", f"#{message.id}-text"]
    assert [json.loads(frame)["after"] for frame in made] == [0, first[-1].number]
    assert json.loads(made[-1])["number"] == second[-1].number


def test_a_completed_message_is_replaced_by_what_is_stored(project, run):
    message, _ = opened(run)
    message.content, message.status = [text_part("**bold**")], MessageStatus.COMPLETED
    message.save()
    events = make_events(run, ("thread.message.completed", message_object(message)))
    (frame,) = frames(project, run, events[0].prev, events)
    stored = next(inner for target, _, inner in partials(frame) if target == f"#{message.id}")
    assert "<strong>bold</strong>" in stored
    assert "**bold**" in stored


def test_calls_appear_as_they_are_written(project, run):
    step = make_step(run, "tool_calls")
    opening = make_events(
        run,
        ("thread.run.step.delta", call_opening(step.id, 0, "call_1", "get_<b>")),
        ("thread.run.step.delta", call_arguments(step.id, 0, '{"a')),
    )
    (new,) = partials(render.delta_frame(0, opening).text())
    assert new[0] == f"#{step.id}-body:not(:has(#{step.id}-call-0))"
    assert "get_&lt;b&gt;" in new[2]
    assert "{&quot;a" in new[2]
    more = make_events(run, ("thread.run.step.delta", call_arguments(step.id, 0, '": 1}')))
    assert partials(render.delta_frame(0, more).text()) == [
        (f"#{step.id}-call-0-arguments", "beforeend", "&quot;: 1}")
    ]


def test_waiting_opens_the_desk_unless_it_is_open_for_these_calls(project):
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    events = make_events(run, ("thread.run.requires_action", run_object(run)))
    (frame,) = frames(project, run, 0, events)
    desk = next(part for part in partials(frame) if part[0].startswith(f"#desk-{run.id}:"))
    key = desk[0].split('"')[1]
    assert desk[0] == f'#desk-{run.id}:not([data-calls="{key}"])'
    assert f'data-calls="{key}"' in desk[2]
    assert desk[1] == "outerHTML"
    assert "1 call needs an output" in text_of(desk[2])


def test_the_desk_is_left_alone_when_the_run_goes_on(project, run):
    events = make_events(run, ("thread.run.in_progress", run_object(run)))
    (frame,) = frames(project, run, 0, events)
    assert targets(frame) == ["#run-head", "#desk-state"]


def test_at_the_end_everything_is_as_stored(project, run):
    message, _ = opened(run)
    message.content, message.status = [text_part("all of it")], MessageStatus.COMPLETED
    message.save()
    RunStep.objects.update(status=StepStatus.COMPLETED)
    run.status = RunStatus.COMPLETED
    run.save()
    events = make_events(run, ("thread.run.completed", run_object(run)))
    (frame,) = frames(project, run, 0, events)
    assert targets(frame) == ["#run-head", "#steps", "#desk-state"]
    steps = partials(frame)[1][2]
    assert "all of it" in text_of(steps)


def test_much_at_once_is_a_snapshot_that_the_next_deltas_continue(project, run):
    message, first = opened(run)
    many = deltas(run, message, *(f"w{i} " for i in range(render.SNAPSHOT_EVENTS)))
    later = deltas(run, message, "later")
    (frame,) = frames(project, run, 0, [*first, *many])
    steps = {target: inner for target, _, inner in partials(frame)}["#steps"]
    assert f"w{render.SNAPSHOT_EVENTS - 1} </div>" in steps
    assert "later" not in steps
    assert json.loads(frame)["number"] == many[-1].number == later[0].prev


def test_a_snapshot_has_text_that_the_log_has_not_yet(project, run):
    message, first = opened(run)
    stored = deltas(run, message, "stored ")
    facts = [
        ("thread.message.delta", text_delta(message.id, 0, f"w{i} ", first=False))
        for i in range(render.SNAPSHOT_EVENTS)
    ]
    live = [log.record(run, name, wire) for name, wire in facts]
    (frame,) = frames(project, run, 0, [*first, *stored, *live])
    steps = {target: inner for target, _, inner in partials(frame)}["#steps"]
    assert "stored w0 w1 " in steps
    assert f"w{render.SNAPSHOT_EVENTS - 1} </div>" in steps


def test_a_page_opened_in_mid_call_shows_what_is_written(project, run):
    step = make_step(run, "tool_calls")
    make_events(
        run,
        ("thread.run.step.created", step_object(step, run, [])),
        ("thread.run.step.delta", call_opening(step.id, 0, "call_1", "get_weather")),
        ("thread.run.step.delta", call_arguments(step.id, 0, '{"city"')),
        ("thread.run.step.delta", call_opening(step.id, 1, "call_2", "get_time")),
    )
    (view,) = render.view_of(project, run, Role.ADMIN).steps
    assert [(call.name, call.arguments) for call in view.calls] == [
        ("get_weather", '{"city"'),
        ("get_time", ""),
    ]
    assert (view.status, view.stored) == (StepStatus.IN_PROGRESS, False)


def test_a_deleted_run_has_no_frames(project, run):
    events = make_events(run, ("thread.run.in_progress", run_object(run)))
    run.thread.delete()
    assert render.frames(Seat(project, Role.ADMIN), run.id, 0, events) == []
