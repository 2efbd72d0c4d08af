"""What must hold of a run and its readers, whatever happened to the processes meanwhile."""

from collections import Counter
from itertools import pairwise

from tests.chaos.cluster import Site
from tests.process.client import Api, Reader, Wire, text_of, turns_asked
from tests.upstream import Upstream
from tests.upstream_script import expected_text


def lossless(reader: Reader, api_log: Reader, torn: set[str] | None = None) -> None:
    """The reader has all of the log, no number twice, and no number with other content.

    What is not in the log can only be deltas of the interrupted messages ``torn``.
    """
    numbers = [event.number for event in reader.seen]
    assert numbers == sorted(set(numbers))
    seen = {event.number: (event.name, event.data) for event in reader.seen}
    stored = {event.number: (event.name, event.data) for event in api_log.seen}
    assert len(stored) == len(api_log.seen)
    assert sorted(stored) == list(stored)
    assert stored.keys() <= seen.keys()
    assert {number: seen[number] for number in stored} == stored
    for number in seen.keys() - stored.keys():
        name, data = seen[number]
        assert name == "thread.message.delta"
        assert data["id"] in (torn or set())


async def completed_once(api: Api, run: Wire) -> set[str]:
    """The run is completed; each turn's text is there whole and once, in one completed step.

    Returns: the ids of messages that lost drivers have left.
    """
    run = await api.retrieve(run)
    assert run["status"] == "completed", run
    turns = [turn for turn in str(run["model"]).split("-then-") if not turn.startswith("status-")]
    texts = [expected_text(run["model"], turn) for turn in range(len(turns))]
    messages = await api.messages(run)
    whole = [message for message in messages if message["status"] == "completed"]
    assert [text_of(message) for message in whole] == [text for text in texts if text]
    torn = [message for message in messages if message["status"] != "completed"]
    for message in torn:
        assert message["status"] == "incomplete"
        assert message["incomplete_details"] == {"reason": "run_failed"}
        assert any(text.startswith(text_of(message)) for text in texts)
    steps = await api.steps(run)
    kinds = Counter(step["type"] for step in steps if step["status"] == "completed")
    calls = sum("tools" in turn for turn in turns)
    expected = {"tool_calls": calls, "message_creation": len([text for text in texts if text])}
    assert kinds == Counter(expected)
    for step in steps:
        assert step["status"] in ("completed", "failed")
        assert step["status"] == "completed" or step["last_error"]["code"] == "server_error"
    return {message["id"] for message in torn}


async def ended_well(api: Api, reader: Reader) -> int:
    """The reader's run is as ``completed_once`` says, and the reader has its whole log.

    Returns: how many attempts were lost in mid-text.
    """
    torn = await completed_once(api, reader.run)
    assert reader.names[-1] == "thread.run.completed"
    log = Reader(api, reader.run)
    assert await log.attach()
    lossless(reader, log, torn)
    for message in await api.messages(reader.run):
        if message["status"] == "completed":
            said = [event.delta for event in reader.deltas if event.data["id"] == message["id"]]
            assert "".join(said) == text_of(message)
    return len(torn)


def asked_in_order(upstream: Upstream, tag: str, reader: Reader) -> Counter[int]:
    """No turn was asked for once it was committed: neither after a later one was asked for,
    nor after a reader had seen its end.

    Returns: how often each turn was asked for.
    """
    turns = turns_asked(upstream, tag)
    asked = sorted((request.received_at, turn) for turn in turns for request in turns[turn])
    assert [turn for _, turn in asked] == sorted(turn for _, turn in asked)
    ends = ("thread.run.requires_action", "thread.run.completed")
    for turn, end in enumerate(event for event in reader.seen if event.name in ends):
        assert turns[turn][-1].received_at < end.at
    return Counter(turn for _, turn in asked)


def stored_once(site: Site, run: Wire) -> None:
    """No number of the run's log is stored twice."""
    found = site.query(
        "SELECT first_number, last_number FROM runs_eventchunk WHERE run_id = %s"
        " ORDER BY first_number",
        run["id"],
    )
    for before, after in pairwise(found):
        assert before["last_number"] < after["first_number"]
