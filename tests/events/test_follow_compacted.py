"""A reader whose run's log is compacted while it reads: every text once, in order."""

import json

import pytest

from runs.contract.status import RunStatus
from runs.events import log
from runs.events.compact import compacted
from runs.events.follow import follow
from runs.models import EventChunk
from runs.models.database import in_database
from runs.wire.deltas import text_delta
from tests.events.reading import DELTA, END, driven, rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_looks")]

DELTAS = 450  # more than two readings of the log take in


def written():
    """An ended run that wrote many deltas, each a row of its log."""
    run = driven()
    wires = [text_delta("msg_1", 0, f"w{n} ", first=not n) for n in range(DELTAS)]
    for wire in wires:
        log.append(run, [log.record(run, DELTA, wire)])
    rest(run, RunStatus.COMPLETED, END)
    return run


def compact(run):
    rows = compacted(run.id)
    EventChunk.objects.filter(run_id=run.id).delete()
    EventChunk.objects.bulk_create(rows)


def texts(events):
    return [
        json.loads(event.data)["delta"]["content"][0]["text"]["value"]
        for event in events
        if event.name == DELTA
    ]


@pytest.mark.parametrize("lists", [0, 1, 2])
async def test_compacted_after_so_many_lists(lists):
    run = await in_database(written)
    got = []
    seen = 0
    if lists == 0:
        await in_database(compact, run)
    async for events in follow(run.id):
        got += events
        seen += 1
        if seen == lists:
            await in_database(compact, run)
    assert "".join(texts(got)) == "".join(f"w{n} " for n in range(DELTAS))
    numbers = [event.number for event in got]
    assert numbers == sorted(set(numbers))
    assert [event.prev for event in got] == [0, *numbers[:-1]]
    assert got[-1].name == END
    assert len(got) < DELTAS  # the rest came as one
