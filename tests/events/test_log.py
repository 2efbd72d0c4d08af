"""The log: numbered, stored, read back."""

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.contract.status import RunStatus
from runs.events import log
from runs.events.log import Event, StaleRun
from runs.models import EventChunk, Run
from runs.wire.deltas import refusal_delta, text_delta
from tests.factories import make_events, make_message, make_run

pytestmark = pytest.mark.django_db

#: What some splitters of lines take for an end of line, and what JSON must escape.
AWKWARD = 'a\nb\r\nc\u2028d\u2029e\u0085f\x0bg\x0ch\ti"j\\k\u0001l\U0001f600\n\n'


def facts(*texts):
    return [("thread.message.delta", {"text": text}) for text in texts]


def read(run, after=0, **options):
    page = log.read_after(run.id, after, **options)
    assert page is not None
    return page


def test_numbers_ascend_from_one_and_name_the_number_before():
    run = make_run()
    events = log.write(run, facts("a", "b", "c"))
    assert [(e.number, e.prev) for e in events] == [(1, 0), (2, 1), (3, 2)]
    stored = Run.objects.get(id=run.id)
    assert (stored.next_number, stored.last_number) == (4, 3)


def test_the_number_before_a_jump_is_the_last_written_one():
    run = make_run()
    log.write(run, facts("a"))
    run.next_number += 1000
    (event,) = log.write(run, facts("b"))
    assert (event.number, event.prev) == (1002, 1)


def test_what_is_written_is_read_back():
    run = make_run()
    first = log.write(run, facts("a", AWKWARD))
    second = log.write(run, facts("c"))
    page = read(run)
    assert page.events == first + second
    assert (page.more, page.status, page.last_number) == (False, "queued", 3)


def test_a_frame_is_three_lines_whatever_the_text():
    event = log.record(make_run(), "thread.message.delta", {"text": AWKWARD})
    lines = event.frame().split("\n")
    assert lines[0] == "id: 1"
    assert lines[1] == "event: thread.message.delta"
    assert lines[2].startswith("data: {")
    assert lines[3:] == ["", ""]
    assert "\r" not in event.frame()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_any_text_comes_back_as_it_was(texts):
    events = [Event(i + 1, i, "thread.x", log.dumps({"t": t})) for i, t in enumerate(texts)]
    bodies = ["".join(event.frame() for event in events)]
    assert list(log.parse(bodies, 0)) == events


@pytest.mark.parametrize("after", range(8))
def test_reading_on_from_any_number(after):
    run = make_run()
    events = log.write(run, facts("a", "b", "c")) + log.write(run, facts("d", "e"))
    assert read(run, after).events == events[after:]


def test_pages():
    run = make_run()
    events = [event for i in range(5) for event in log.write(run, facts(f"{i}", f"{i}'"))]
    got, after, pages = [], 0, 0
    while True:
        page = read(run, after, chunks=2)
        got += page.events
        pages += 1
        if not page.more:
            break
        after = page.events[-1].number
    assert got == events
    assert pages == 3


def test_no_such_run():
    assert log.read_after("run_nowhere", 0) is None


def test_another_runs_events_are_not_ours():
    run = make_run()
    make_events(make_run(), *facts("theirs"))
    make_events(run, *facts("ours"))
    assert [e.data for e in read(run).events] == ['{"text":"ours"}']


CHANGES = {
    "epoch": {"epoch": 9},
    "status": {"status": RunStatus.CANCELLED},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_writer_whose_run_was_moved_writes_nothing(change):
    run = make_run()
    Run.objects.filter(id=run.id).update(**change)
    with pytest.raises(StaleRun), transaction.atomic():
        log.write(run, facts("late"))
    assert not EventChunk.objects.exists()
    assert Run.objects.get(id=run.id).last_number == 0


def test_a_writer_whose_run_was_deleted_writes_nothing():
    run = make_run()
    Run.objects.filter(id=run.id).delete()
    with pytest.raises(StaleRun), transaction.atomic():
        log.write(run, facts("late"))


def test_nothing_to_write_is_no_write(django_assert_num_queries):
    run = make_run()
    with django_assert_num_queries(0):
        assert log.write(run, []) == []


def test_the_same_number_cannot_be_stored_twice():
    run = make_run()
    events = log.write(run, facts("a"))
    with pytest.raises(IntegrityError), transaction.atomic():
        log.append(run, events)


def test_what_was_delivered_but_not_committed_goes_before_what_is_new():
    run = make_run()
    left = [log.record(run, name, wire) for name, wire in facts("delta")]
    new = log.write(run, facts("end"), left)
    assert read(run).events == left + new
    assert EventChunk.objects.count() == 1


def test_parts_so_far():
    run = make_run()
    message, other = make_message(run.thread), make_message(run.thread)
    deltas = [
        text_delta(message.id, 0, "Half", first=True),
        text_delta(other.id, 0, "Not this", first=True),
        text_delta(message.id, 0, " an\u2028answer", first=False),
        refusal_delta(message.id, 1, "I can"),
        refusal_delta(message.id, 1, "not."),
    ]
    for delta in deltas:
        make_events(run, ("thread.message.delta", delta))
    make_events(run, ("thread.message.completed", {"id": message.id}))
    assert log.parts_so_far(run.id, message.id) == [
        {"type": "text", "text": {"value": "Half an\u2028answer", "annotations": []}},
        {"type": "refusal", "refusal": "I cannot."},
    ]


def test_parts_of_a_message_without_deltas():
    assert log.parts_so_far(make_run().id, "msg_x") == []
