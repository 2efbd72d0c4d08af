"""Steps and messages: opened, ended, and closed when the run ends without them."""

import pytest
from django.utils import timezone

from runs.contract.status import CLOSING, RunStatus, StepStatus
from runs.events import log
from runs.lifecycle import steps
from runs.models import Message, RunStep
from runs.wire.deltas import text_delta
from tests.factories import make_call, make_run, make_step

pytestmark = pytest.mark.django_db

TEXT = [{"type": "text", "text": {"value": "Half an", "annotations": []}}]
EMPTY = [{"type": "text", "text": {"value": "", "annotations": []}}]


@pytest.fixture
def run():
    return make_run(status=RunStatus.IN_PROGRESS)


def said(run, message, *texts):
    """Have the log hold these deltas of the message."""
    log.write(
        run,
        [
            ("thread.message.delta", text_delta(message.id, 0, text, first=i == 0))
            for i, text in enumerate(texts)
        ],
    )


def test_a_message_opens_with_its_step(run):
    step, message, facts = steps.open_message(run)
    assert [name for name, _ in facts] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
    ]
    assert facts[0][1]["step_details"]["message_creation"] == {"message_id": message.id}
    assert facts[2][1]["content"] == []
    assert facts[2][1]["run_id"] == run.id
    assert (step.turn, step.index) == (1, 0)


def test_a_tool_step_opens_without_calls(run):
    _, facts = steps.open_tools(run, index=1)
    assert [name for name, _ in facts] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
    ]
    assert facts[0][1]["step_details"] == {"type": "tool_calls", "tool_calls": []}


@pytest.mark.parametrize("ending", sorted(CLOSING))
def test_what_is_open_ends_with_the_run(run, ending):
    _, message, _ = steps.open_message(run)
    said(run, message, "Half", " an")
    facts = steps.close_open(run, ending, {"code": "server_error", "message": "No."})
    status, reason = CLOSING[ending]
    assert [name for name, _ in facts] == [
        "thread.message.incomplete",
        f"thread.run.step.{status}",
    ]
    assert facts[0][1]["content"] == TEXT
    assert facts[0][1]["incomplete_details"] == {"reason": reason}
    stored, step = Message.objects.get(), RunStep.objects.get()
    assert (stored.status, stored.incomplete_reason, stored.content) == ("incomplete", reason, TEXT)
    assert stored.incomplete_at is not None
    assert step.status == status
    assert not step.interrupted


def test_an_incomplete_message_has_a_part_even_if_nothing_was_said(run):
    """openai-python reads ``content[index]`` of a finished message."""
    steps.open_message(run)
    (_, message), _ = steps.close_open(run, RunStatus.CANCELLED)
    assert message["content"] == EMPTY


def test_a_lost_attempt_is_marked(run):
    _, message, _ = steps.open_message(run)
    said(run, message, "Half an")
    facts = steps.close_interrupted(run)
    assert facts[1][1]["last_error"] == {
        "code": "server_error",
        "message": "The server was interrupted; this turn was run again.",
    }
    assert facts[0][1]["content"] == TEXT
    assert Message.objects.get().interrupted
    step = RunStep.objects.get()
    assert step.interrupted
    assert step.status == StepStatus.FAILED
    assert step.failed_at is not None


def test_what_has_ended_is_left_alone(run):
    make_step(run, status="completed")
    assert steps.close_open(run, RunStatus.CANCELLED) == []


def test_an_open_tool_step_ends_with_its_calls():
    run = make_run(status=RunStatus.REQUIRES_ACTION)
    ((name, step),) = steps.close_open(run, RunStatus.EXPIRED)
    assert name == "thread.run.step.expired"
    (call,) = step["step_details"]["tool_calls"]
    assert call["function"] == {
        "name": "get_weather", "arguments": '{"city": "Oslo"}', "output": None,
    }  # fmt: skip


def test_the_end_of_a_step_shows_its_calls_in_order(run):
    step = make_step(run, "tool_calls")
    calls = [make_call(step, index=i, name=f"f{i}", output=str(i)) for i in range(3)]
    _, wire = steps.end_step(step, run, StepStatus.COMPLETED, timezone.now(), calls)
    assert [c["function"]["output"] for c in wire["step_details"]["tool_calls"]] == ["0", "1", "2"]


def test_a_message_deleted_while_it_is_written_does_not_stop_its_run(run):
    _, message, _ = steps.open_message(run)
    Message.objects.all().delete()
    name, wire = steps.end_message(message, TEXT, None, timezone.now())
    assert (name, wire["content"]) == ("thread.message.completed", TEXT)
    assert not Message.objects.exists()
