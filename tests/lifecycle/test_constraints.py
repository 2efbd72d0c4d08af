"""What the database itself refuses of runs and what is in them, and what it allows."""

import pytest
from django.db import IntegrityError, transaction

from runs.contract.status import TERMINAL, RunStatus
from runs.models import EventChunk, Message, Run, RunStep, ToolCall
from tests.factories import make_call, make_message, make_run, make_step, make_thread

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("first", sorted(set(RunStatus) - TERMINAL))
@pytest.mark.parametrize("second", RunStatus)
def test_one_active_run_per_thread(first, second):
    thread = make_thread()
    make_run(thread, status=first)
    if second in TERMINAL:
        make_run(thread, status=second)
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            make_run(thread, status=second)


@pytest.mark.parametrize("first", sorted(set(RunStatus) - TERMINAL))
def test_many_may_stand_in_line(first):
    thread = make_thread()
    make_run(thread, status=first)
    for _ in range(3):
        make_run(thread, in_line=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(in_line=True).update(in_line=False)


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.QUEUED}))
def test_only_who_is_queued_stands_in_line(status):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_run(status=status, in_line=True)


UNKNOWN = {
    "run status": lambda: (Run, make_run(), {"status": "paused"}),
    "step status": lambda: (RunStep, make_step(), {"status": "queued"}),
    "step type": lambda: (RunStep, make_step(), {"type": "thinking"}),
    "message status": lambda: (Message, make_message(), {"status": "done"}),
    "message role": lambda: (Message, make_message(), {"role": "system"}),
}


@pytest.mark.parametrize("make", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_words_are_refused_by_the_database(make):
    model, row, change = make()
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.filter(number=row.number).update(**change)


def chunk(run, first, last):
    return EventChunk.objects.create(
        run=run, first_number=first, last_number=last, epoch=1, body="x"
    )


def repeated_number():
    run = make_run()
    chunk(run, 1, 3)
    chunk(run, 1, 2)


def backward_chunk():
    chunk(make_run(), 3, 2)


def repeated_place():
    run = make_run(status=RunStatus.COMPLETED)
    make_step(run, turn=1, index=0)
    make_step(run, turn=1, index=0)


def repeated_call():
    step = make_step(type="tool_calls")
    make_call(step, id="call_1")
    make_call(step, id="call_1")


def repeated_call_place():
    step = make_step(type="tool_calls")
    make_call(step, index=0)
    make_call(step, index=0)


@pytest.mark.parametrize(
    "double",
    [repeated_number, backward_chunk, repeated_place, repeated_call, repeated_call_place],
    ids=lambda function: function.__name__,
)
def test_doubles_are_refused_by_the_database(double):
    with pytest.raises(IntegrityError), transaction.atomic():
        double()


def test_interrupted_attempts_may_share_a_place():
    run = make_run(status=RunStatus.COMPLETED)
    for _ in range(2):
        make_step(run, turn=1, index=0, status="failed", interrupted=True)
    make_step(run, turn=1, index=0)
    assert run.steps.count() == 3


def test_the_same_call_id_in_two_runs_is_fine():
    for _ in range(2):
        make_call(make_step(type="tool_calls"), id="call_1")
    assert ToolCall.objects.filter(id="call_1").count() == 2
