"""Runs: created once per thread, changed at any time, cancelled once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs import operations
from runs.contract.errors import NotCancellable, NotFound, ThreadBusy, ThreadLocked
from runs.contract.status import ACTIVE, TERMINAL, RunStatus
from runs.models import Message, Run, Thread, ToolCall
from tests.factories import (
    WEATHER,
    make_assistant,
    make_message,
    make_project,
    make_run,
    make_thread,
)
from tests.operations.scene import again, names

pytestmark = pytest.mark.django_db


@pytest.fixture
def assistant(thread):
    return make_assistant(thread.project, tools=[WEATHER])


# --- create ---


def test_a_run_begins_queued(thread, assistant):
    run = operations.create_run(thread, {"assistant_id": assistant.id})
    assert run.status == "queued"
    assert names(run) == ["thread.run.created", "thread.run.queued"]
    assert (run.started_at, run.usage) == (None, None)
    assert timedelta(seconds=595) < run.expires_at - timezone.now() <= timedelta(seconds=600)


def test_settings_come_from_the_assistant(thread):
    assistant = make_assistant(
        thread.project, model="m", instructions="I", tools=[WEATHER], temperature=0.2, top_p=0.3,
        response_format={"type": "json_object"}, reasoning_effort="low",
    )  # fmt: skip
    run = operations.create_run(thread, {"assistant_id": assistant.id})
    assert (run.model, run.instructions, run.tools) == ("m", "I", [WEATHER])
    assert (run.temperature, run.top_p, run.reasoning_effort) == (0.2, 0.3, "low")
    assert run.response_format == {"type": "json_object"}
    assert run.parallel_tool_calls is True


def test_settings_of_the_run_come_first(thread, assistant):
    run = operations.create_run(
        thread,
        {
            "assistant_id": assistant.id, "model": "m2", "instructions": "Mine", "tools": [],
            "temperature": 0.0, "metadata": {"a": "b"}, "max_prompt_tokens": 300,
            "max_completion_tokens": 400, "parallel_tool_calls": False, "tool_choice": "none",
            "truncation_strategy": {"type": "last_messages", "last_messages": 3},
        },
    )  # fmt: skip
    run = again(run)
    assert (run.model, run.instructions, run.tools, run.temperature) == ("m2", "Mine", [], 0.0)
    assert (run.max_prompt_tokens, run.max_completion_tokens) == (300, 400)
    assert (run.parallel_tool_calls, run.tool_choice) == (False, "none")
    assert run.truncation_strategy == {"type": "last_messages", "last_messages": 3}
    assert run.metadata == {"a": "b"}


def test_null_is_not_given(thread, assistant):
    fields = dict.fromkeys(["model", "instructions", "tools", "metadata", "parallel_tool_calls"])
    run = operations.create_run(thread, {"assistant_id": assistant.id, **fields})
    assert (run.model, run.instructions, run.tools) == ("gpt-4o", "Be brief.", [WEATHER])
    assert (run.metadata, run.parallel_tool_calls) == ({}, True)


@pytest.mark.parametrize(
    ("own", "more", "result"),
    [
        (None, "More", "Be brief.\n\nMore"),
        ("Mine", "More", "Mine\n\nMore"),
        ("Mine", None, "Mine"),
        ("", "More", "More"),
    ],
)
def test_additional_instructions(thread, assistant, own, more, result):
    fields = {"assistant_id": assistant.id, "instructions": own, "additional_instructions": more}
    assert operations.create_run(thread, fields).instructions == result


def test_a_change_of_the_assistant_does_not_reach_its_runs(thread, assistant):
    run = operations.create_run(thread, {"assistant_id": assistant.id})
    operations.update_assistant(assistant, {"model": "other", "instructions": "Other"})
    assert (again(run).model, again(run).instructions) == ("gpt-4o", "Be brief.")


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_a_busy_thread_takes_no_second_run(thread, assistant, status):
    busy = make_run(thread, status=status)
    with pytest.raises(ThreadBusy) as refused:
        operations.create_run(
            thread,
            {
                "assistant_id": assistant.id,
                "additional_messages": [{"role": "user", "content": "x"}],
            },
        )
    assert busy.id in refused.value.message
    assert Run.objects.count() == 1
    assert not Message.objects.exclude(role="assistant").exists()


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_run_frees_its_thread(thread, assistant, status):
    make_run(thread, status=status)
    assert operations.create_run(thread, {"assistant_id": assistant.id}).status == "queued"


def test_an_assistant_of_another_project_is_not_found(thread):
    other = make_assistant(make_project())
    with pytest.raises(NotFound, match=f"No assistant found with id '{other.id}'"):
        operations.create_run(thread, {"assistant_id": other.id})


def test_a_thread_deleted_meanwhile_is_not_found(thread, assistant):
    Thread.objects.filter(id=thread.id).delete()
    with pytest.raises(NotFound, match=thread.id):
        operations.create_run(thread, {"assistant_id": assistant.id})


def test_create_and_run_leaves_nothing_without_its_assistant():
    with pytest.raises(NotFound):
        operations.create_thread_and_run(
            make_project(), {"assistant_id": "asst_x", "thread": {"messages": []}}
        )
    assert not Thread.objects.exists()


def test_create_and_run(assistant):
    run = operations.create_thread_and_run(
        assistant.project,
        {
            "assistant_id": assistant.id,
            "thread": {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"a": "b"}},
        },
    )
    assert names(run)[0] == "thread.created"
    assert run.thread.metadata == {"a": "b"}
    assert run.thread.messages.get().content[0]["text"]["value"] == "Hi"


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_a_busy_thread_takes_no_message(thread, status):
    run = make_run(thread, status=status)
    with pytest.raises(ThreadLocked, match=run.id):
        operations.add_message(thread, {"role": "user", "content": "x"})


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_fifty_creates_at_once_one_wins(thread, assistant, race):
    done = race(
        *[lambda: operations.create_run(thread, {"assistant_id": assistant.id}) for _ in range(50)]
    )
    (winner,) = done.results
    assert [type(fault) for fault in done.faults] == [ThreadBusy] * 49
    assert {fault.message for fault in done.faults} == {
        f"Thread {thread.id} already has an active run {winner.id}."
    }
    assert Run.objects.get().id == winner.id
    operations.cancel_run(winner)
    assert operations.create_run(thread, {"assistant_id": assistant.id})


# --- cancel, update, delete ---

CANCELS = {"queued": "cancelled", "requires_action": "cancelled", "in_progress": "cancelling"}


@pytest.mark.parametrize(("before", "after"), CANCELS.items())
def test_cancel(before, after):
    run = operations.cancel_run(make_run(status=before))
    assert again(run).status == run.status == after


@pytest.mark.parametrize("status", sorted(set(RunStatus) - set(CANCELS)))
def test_what_cannot_be_cancelled(status):
    with pytest.raises(NotCancellable, match=f"'{status}'"):
        operations.cancel_run(make_run(status=status))
    assert Run.objects.get().status == status


@pytest.mark.django_db(transaction=True)
def test_of_many_cancels_at_once_one_wins(race):
    run = make_run()
    rows = [again(run) for _ in range(10)]
    done = race(*[lambda row=row: operations.cancel_run(row) for row in rows])
    assert len(done.results) == 1
    assert [type(fault) for fault in done.faults] == [NotCancellable] * 9
    assert names(run) == ["thread.run.cancelled"]


def test_cancel_of_a_run_that_was_claimed_meanwhile():
    run = make_run()
    Run.objects.filter(id=run.id).update(status="in_progress", epoch=1, lease_owner="x")
    assert operations.cancel_run(run).status == "cancelling"


def test_cancel_of_a_run_that_was_deleted_meanwhile():
    run = make_run()
    Run.objects.filter(id=run.id).delete()
    with pytest.raises(NotFound):
        operations.cancel_run(run)


@pytest.mark.parametrize("status", sorted(RunStatus))
def test_metadata_may_be_updated_at_any_time(status):
    run = operations.update_run(make_run(status=status), {"metadata": {"a": "b"}})
    assert (again(run).metadata, again(run).status) == ({"a": "b"}, status)
    assert operations.update_run(run, {"metadata": None}).metadata == {}
    assert operations.update_run(run, {}).metadata == {}


def test_a_deleted_run_is_not_updated():
    run = make_run()
    Run.objects.filter(id=run.id).delete()
    with pytest.raises(NotFound):
        operations.update_run(run, {"metadata": {}})


@pytest.mark.parametrize("status", sorted(RunStatus))
def test_deleting_a_thread_takes_all_with_it(status):
    run = make_run(status=status)
    make_message(run.thread)
    operations.delete_thread(run.thread)
    for model in (Thread, Run, Message, ToolCall):
        assert not model.objects.exists()


def test_a_deleted_thread_cannot_be_deleted():
    thread = make_thread()
    Thread.objects.all().delete()
    with pytest.raises(NotFound):
        operations.delete_thread(thread)
