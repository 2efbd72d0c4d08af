"""A compacted log: the same texts, the same grammar, and readers who lose and repeat nothing."""

import json
from datetime import timedelta

import pytest

from runs import operations
from runs.contract.cleanup import Verb
from runs.contract.errors import BadRequest
from runs.contract.status import RunStatus
from runs.events import log
from runs.events.compact import joined
from runs.models import Cleanup, EventChunk, Run
from runs.models.database import now
from runs.operations import batches, compaction
from runs.operations.compaction import replace_log
from runs.wire.deltas import call_arguments, call_opening, refusal_delta, text_delta
from tests.factories import make_run

pytestmark = pytest.mark.django_db

TEXT = "thread.message.delta"
CALL = "thread.run.step.delta"
STATE = ("thread.run.in_progress", {"object": "thread.run"})

#: Two parts of a message, two calls, a refusal; state in between.
FACTS = [
    STATE,
    *[(TEXT, text_delta("msg_1", 0, text, first=not n)) for n, text in enumerate("Hello")],
    *[(TEXT, text_delta("msg_1", 1, text, first=not n)) for n, text in enumerate("wörld\u2028!")],
    STATE,
    (CALL, call_opening("step_1", 0, "call_1", "one")),
    *[(CALL, call_arguments("step_1", 0, text)) for text in ('{"a"', ": ", "1}")],
    (CALL, call_opening("step_1", 1, "call_2", "two")),
    (CALL, call_arguments("step_1", 1, "{}")),
    STATE,
    *[(TEXT, refusal_delta("msg_2", 0, text)) for text in ("I ", "can", "not")],
    STATE,
]


@pytest.fixture
def run():
    """An ended run with a log of a row an event."""
    run = make_run(status=RunStatus.COMPLETED)
    for name, wire in FACTS:
        log.append(run, [log.record(run, name, wire)])
    return run


def read(run, after=0, **more):
    page = log.read_after(run.id, after, **more)
    assert page is not None
    return page.events


def said(events):
    """What a reader has put together: the text of each part, in order of first sight."""
    parts = {}
    for event in events:
        wire = json.loads(event.data)
        if event.name == TEXT:
            (part,) = wire["delta"]["content"]
            text = part["text"]["value"] if part["type"] == "text" else part["refusal"]
        elif event.name == CALL:
            (part,) = wire["delta"]["step_details"]["tool_calls"]
            text = part["function"]["arguments"]
        else:
            continue
        parts[(wire["id"], part["index"])] = parts.get((wire["id"], part["index"]), "") + text
    return parts


def test_deltas_become_one_per_part_and_the_rest_stays(run):
    before = read(run)
    assert operations.compact_run(run) == len(FACTS)
    after = read(run)
    assert [event.name for event in after] == [
        STATE[0], TEXT, TEXT, STATE[0], CALL, CALL, CALL, CALL, STATE[0], TEXT, STATE[0]
    ]  # fmt: skip
    assert said(after) == said(before)
    assert after[-1] == before[-1].__class__(
        before[-1].number, after[-2].number, before[-1].name, before[-1].data
    )
    numbers = {event.number: event for event in before}
    for event in after:
        if event.name == STATE[0]:
            assert event.data == numbers[event.number].data
    assert [event.number for event in after] == sorted(event.number for event in after)
    first = json.loads(after[1].data)["delta"]["content"][0]["text"]
    assert first == {"value": "Hello", "annotations": []}
    assert "\u2028" not in after[2].data
    assert EventChunk.objects.count() == 1
    run.refresh_from_db()
    assert run.compacted_at is not None
    assert run.last_number == len(FACTS)


@pytest.mark.parametrize("place", range(len(FACTS) + 1))
def test_a_reader_who_stands_anywhere_gets_exactly_the_rest(run, place):
    """Whatever it has seen of the log as it was, together with what it reads now."""
    whole = read(run)
    seen = [event for event in whole if event.number <= place]
    operations.compact_run(run)
    rest = read(run, place)
    assert said([*seen, *rest]) == said(whole)
    assert all(event.number > place for event in rest)
    chain = [place, *(event.number for event in rest)]
    assert [event.prev for event in rest] == chain[:-1]
    begins = [event for event in [*seen, *rest] if "annotations" in event.data]
    assert len(begins) == 2


def test_a_log_that_is_compacted_between_two_rows_of_a_reading(run, monkeypatch):
    """The reading goes on by number, not by how many rows it has had."""
    whole = read(run)
    rows_after = log.rows_after
    asked = []

    def compacted_meanwhile(run_id, after, at_most):
        asked.append(after)
        if len(asked) == 2:
            operations.compact_run(run)
        return rows_after(run_id, after, at_most)

    monkeypatch.setattr(log, "rows_after", compacted_meanwhile)
    assert said(read(run)) == said(whole)
    assert len(asked) > 1


def test_parts_that_take_turns_are_not_joined_across():
    """Whoever builds the list of parts by their order would build another one."""
    deltas = [text_delta("msg_1", index, "x", first=n < 2) for n, index in enumerate([0, 1, 0, 0])]
    events = [log.Event(n + 1, n, TEXT, log.dumps(wire)) for n, wire in enumerate(deltas)]
    found = list(joined(events))
    assert [(event.number, lengths) for event, lengths in found] == [(1, []), (2, []), (4, [1, 1])]


def test_numbers_that_jump_are_not_joined_across():
    wires = [text_delta("msg_1", 0, text, first=not n) for n, text in enumerate("abc")]
    numbers = (5, 6, 1006)
    events = [log.Event(n, 0, TEXT, log.dumps(w)) for n, w in zip(numbers, wires, strict=True)]
    assert [event.number for event, _ in joined(events)] == [6, 1006]


def test_a_large_log_stays_in_rows_that_a_reader_can_take(run, monkeypatch):
    monkeypatch.setattr("runs.events.compact.UNFLUSHED_CHARACTERS", 300)
    whole = read(run)
    operations.compact_run(run)
    assert EventChunk.objects.count() > 2
    assert said(read(run)) == said(whole)
    assert [event.number for event in read(run, chunks=1)] == [1, 6]


@pytest.mark.parametrize("characters", [300, 100_000])
def test_its_rows_are_as_old_as_what_they_were_made_of(run, monkeypatch, characters):
    monkeypatch.setattr("runs.events.compact.UNFLUSHED_CHARACTERS", characters)
    written = {}
    for chunk in EventChunk.objects.all():
        written[chunk.last_number] = chunk.created_at = now() - timedelta(
            days=9, seconds=-chunk.last_number
        )
        chunk.save()
    operations.compact_run(run)
    rows = list(EventChunk.objects.all())
    assert len(rows) > 2 or characters > 300
    assert [row.created_at for row in rows] == [written[row.last_number] for row in rows]


def test_only_ended_runs_and_only_once(run):
    with pytest.raises(BadRequest):
        operations.compact_run(make_run(status=RunStatus.IN_PROGRESS))
    operations.compact_run(run)
    with pytest.raises(BadRequest):
        operations.compact_run(run)
    before = read(run)
    assert replace_log(run.id, []) == 0
    assert read(run) == before


def test_as_a_cleanup(run):
    make_run(status=RunStatus.IN_PROGRESS)
    cleanup = operations.plan_cleanup(Verb.COMPACT)
    assert cleanup.counts == {"runs": 1, "event chunks": len(FACTS)}
    operations.begin_cleanup(cleanup)
    done = operations.work_on_cleanup(cleanup)
    assert (done.standing, done.done) == ("done", cleanup.counts)
    assert operations.dry_run_cleanup(Verb.COMPACT).counts == {}


@pytest.fixture
def begun(run):
    """A cleanup of four logs that somebody has begun to work on."""
    for _ in range(3):
        other = make_run(status=RunStatus.COMPLETED)
        for name, wire in FACTS:
            log.append(other, [log.record(other, name, wire)])
    cleanup = operations.plan_cleanup(Verb.COMPACT)
    operations.begin_cleanup(cleanup)
    batches.claim_cleanup(cleanup)
    return cleanup


def test_a_batch_of_large_logs_ends_before_its_time(begun, monkeypatch):
    size = sum(len(row.body) for row in compaction.compacted(Run.objects.first().id))
    monkeypatch.setattr(compaction, "ENOUGH", 2 * size)
    done = []
    while batches.work_on_batch(begun, 500) is not None:
        done.append(begun.done["runs"])
    assert done == [2, 4]
    assert begun.done == begun.counts
    assert not Run.objects.filter(compacted_at=None).exists()


def test_whoever_prepares_a_batch_keeps_it(begun, monkeypatch):
    """However long that takes: the lease is prolonged between two logs."""
    monkeypatch.setattr(batches, "RENEW_SECONDS", 0)
    held = []

    def slowly(run_id, compacted=compaction.compacted):
        held.append(Cleanup.objects.get().held)
        Cleanup.objects.update(lease_until=now() - timedelta(seconds=1))
        return compacted(run_id)

    monkeypatch.setattr(compaction, "compacted", slowly)
    batches.work_on_batch(begun, 500)
    assert held == [True] * 4


def test_whoever_is_stopped_prepares_no_further(begun, monkeypatch):
    monkeypatch.setattr(batches, "RENEW_SECONDS", 0)
    read = []

    def meanwhile(run_id, compacted=compaction.compacted):
        read.append(run_id)
        operations.stop_cleanup(Cleanup.objects.get())
        return compacted(run_id)

    monkeypatch.setattr(compaction, "compacted", meanwhile)
    with pytest.raises(batches.Lost):
        batches.work_on_batch(begun, 500)
    assert len(read) == 1
    assert not Run.objects.exclude(compacted_at=None).exists()


def test_what_was_written_of_an_open_message_is_still_found(run):
    before = log.parts_so_far(run.id, "msg_1")
    operations.compact_run(run)
    assert log.parts_so_far(run.id, "msg_1") == before
