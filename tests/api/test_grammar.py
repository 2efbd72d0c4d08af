"""The checker of streams itself: it takes a good stream, and nothing that is almost one."""

import copy
import json
from dataclasses import replace

import pytest

from tests.api.grammar import NAMES, check, story
from tests.api.sse import DONE, Frame, parse
from tests.published import SCHEMAS

RUN = {
    "id": "run_1",
    "object": "thread.run",
    "model": "gpt-4o",
    "usage": None,
    "started_at": None,
    "expires_at": 600,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "required_action": None,
    "last_error": None,
    "incomplete_details": None,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "metadata": {},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def ends(status, *endings):
    """The times of these endings, of which only that of the status is set."""
    return {f"{ending}_at": 3 if status == ending else None for ending in endings}


def run(status, name="", **fields):
    times = ends(status, "completed", "failed", "cancelled")
    return f"thread.run.{name or status}", RUN | {"status": status} | times | fields


def step(number, status, name="", **fields):
    wire = {"id": f"step_{number}", "object": "thread.run.step", "run_id": "run_1"}
    more = {"status": status, "last_error": None} | fields
    more |= ends(status, "completed", "failed", "cancelled", "expired")
    return f"thread.run.step.{name or status}", wire | more


def message(status, name="", **fields):
    wire = {"id": "msg_1", "object": "thread.message", "run_id": "run_1", "role": "assistant"}
    wire |= {"assistant_id": RUN["assistant_id"], "thread_id": RUN["thread_id"]}
    more = {"status": status, "incomplete_details": None} | fields
    more |= ends(status, "completed", "incomplete")
    return f"thread.message.{name or status}", wire | more


def text(value, **more):
    return {"type": "text", "text": {"value": value, **more}}


def message_delta(part, **fields):
    return "thread.message.delta", {
        "id": "msg_1",
        "object": "thread.message.delta",
        "delta": {"content": [part | {"index": 0} | fields]},
    }


def step_delta(call):
    return "thread.run.step.delta", {
        "id": "step_2",
        "object": "thread.run.step.delta",
        "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call | {"index": 0}]}},
    }


def writing(number):
    details = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    return {"number": number, "type": "message_creation", "step_details": details}


def calling(output):
    function = CALL["function"] | {"output": output}
    calls = [] if output == "none" else [CALL | {"function": function}]
    details = {"type": "tool_calls", "tool_calls": calls}
    return {"number": 2, "type": "tool_calls", "step_details": details}


WAITS = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [CALL]}}
OPENING = {"id": "call_1", "type": "function"}
OPENING |= {"function": {"name": "f", "arguments": "", "output": None}}

#: Text and a call in one turn, then an empty answer.
EVENTS = [
    run("queued", "created"),
    run("queued"),
    run("in_progress"),
    step(status="in_progress", name="created", **writing(1)),
    step(status="in_progress", **writing(1)),
    message("in_progress", "created", content=[]),
    message("in_progress", content=[]),
    message_delta(text("Hel", annotations=[])),
    message_delta(text("lo")),
    message("completed", content=[text("Hello", annotations=[])]),
    step(status="completed", **writing(1)),
    step(status="in_progress", name="created", **calling("none")),
    step(status="in_progress", **calling("none")),
    step_delta(OPENING),
    step_delta({"type": "function", "function": {"arguments": "{}"}}),
    run("requires_action", required_action=WAITS),
    step(status="completed", **calling("sunny")),
    run("queued"),
    run("in_progress"),
    run("completed", expires_at=None, usage={"total_tokens": 15}),
]


def written(events):
    """The events as a stream, numbered from 1."""
    frames = [
        f"id: {number}\nevent: {name}\ndata: {json.dumps(wire)}\n\n"
        for number, (name, wire) in enumerate(events, 1)
    ]
    return ("".join(frames) + f"event: {DONE.name}\ndata: {DONE.data}\n\n").encode()


def refused(events):
    """Whether the checker refuses a stream of these events."""
    try:
        check(written(events))
    except AssertionError:
        return True
    return False


def test_a_good_stream():
    frames = check(b": ping\n" + written(EVENTS).replace(b"id: 5\n", b": ping\n: ping\nid: 5\n"))
    assert [frame.name for frame in frames] == [name for name, _ in EVENTS] + ["done"]
    told = story(frames)
    assert "message.in_progress message.delta*2 message.completed" in told
    resumed = [*EVENTS[16:]]
    assert story(check(written(resumed), "resume")).startswith("step.completed run.queued")
    with pytest.raises(AssertionError):
        check(written(EVENTS), "resume")
    with pytest.raises(AssertionError):
        check(written(resumed))


def test_the_names_are_the_published_ones():
    published = {
        name
        for group in SCHEMAS["AssistantStreamEvent"]["oneOf"]
        for schema in [SCHEMAS[group["$ref"].rsplit("/", 1)[1]]]
        for kind in schema.get("oneOf", [schema])
        for name in kind["properties"]["event"]["enum"]
    }
    assert published - {"done", "error"} == NAMES


@pytest.mark.parametrize("place", range(len(EVENTS)))
def test_each_event_counts(place):
    """Without it, twice, or changed with the next one, it is no good stream."""
    assert refused(EVENTS[:place] + EVENTS[place + 1 :])
    assert refused(EVENTS[: place + 1] + EVENTS[place:])
    if place + 1 < len(EVENTS):
        changed = [EVENTS[place + 1], EVENTS[place]]
        assert refused(EVENTS[:place] + changed + EVENTS[place + 2 :])


#: The place of an event, and what of it is changed to what.
EDITS = [
    (0, "status", "in_progress"),
    (2, "usage", {}),
    (2, "object", "run"),
    (2, "id", "run_2"),
    (2, "model", "other"),
    (2, "expires_at", None),
    (2, "required_action", WAITS),
    (2, "last_error", {}),
    (3, "run_id", "run_2"),
    (4, "id", "step_9"),
    (4, "status", "completed"),
    (5, "content", [text("", annotations=[])]),
    (5, "role", "user"),
    (5, "id", "msg_9"),
    (7, "id", "msg_9"),
    (7, "role", "assistant"),
    (7, "delta.role", "assistant"),
    (7, "delta.id", "msg_1"),
    (7, "delta.content.0.index", 1),
    (7, "delta.content.0.text", {"value": "Hel"}),
    (8, "delta.content.0.text.annotations", []),
    (8, "delta.content.0.text.value", "la"),
    (8, "delta.content.0.text.value", ""),
    (8, "delta.content.0.index", 1),
    (8, "delta.content.0.type", "refusal"),
    (8, "delta.content", []),
    (9, "content.0.text.value", "Hello!"),
    (9, "content", []),
    (9, "incomplete_details", {"reason": "max_tokens"}),
    (10, "last_error", {}),
    (11, "id", "step_1"),
    (13, "delta.step_details.tool_calls.0.function.arguments", "{"),
    (13, "delta.step_details.tool_calls.0.function.output", "x"),
    (13, "delta.step_details.tool_calls.0.index", 1),
    (14, "delta.step_details.tool_calls.0.id", "call_1"),
    (14, "delta.step_details.tool_calls.0.function.name", "f"),
    (14, "delta.step_details.tool_calls.0.function.arguments", "{} "),
    (15, "required_action", None),
    (15, "required_action.submit_tool_outputs.tool_calls.0.id", "call_2"),
    (15, "usage", {}),
    (16, "step_details.tool_calls", []),
    (16, "step_details.tool_calls.0.function.output", None),
    (16, "step_details.tool_calls.0.function.arguments", "{ }"),
    (16, "id", "step_1"),
    (19, "expires_at", 600),
    (19, "status", "failed"),
    (19, "incomplete_details", {}),
]


@pytest.mark.parametrize(("place", "path", "value"), EDITS)
def test_each_field_counts(place, path, value):
    events = copy.deepcopy(EVENTS)
    *way, last = path.split(".")
    wire = events[place][1]
    for part in way:
        wire = wire[int(part)] if isinstance(wire, list) else wire[part]
    wire[last] = value
    assert refused(events)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"id: 2\n", b"id: 1\n"),
        (b"id: 2\n", b"id: 9\n"),
        (b"id: 2\n", b""),
        (b"id: 1\n", b"id: 0\n"),
        (b"event: done\n", b"id: 99\nevent: done\n"),
        (b"event: done\ndata: [DONE]\n\n", b""),
        (b"data: [DONE]\n\n", b"data: [DONE]\n"),
        (b"data: [DONE]\n\n", b"data: {}\n\n"),
        (b"[DONE]\n\n", b"[DONE]\n\nevent: done\ndata: [DONE]\n\n"),
        (b"[DONE]\n\n", b"[DONE]\n\nid: 99\nevent: thread.run.queued\ndata: {}\n\n"),
        (b"id: 2\n", b": ping\n\nid: 2\n"),
        (b"id: 2\n", b"\nid: 2\n"),
        (b"id: 2\n", b"id: 2\r\n"),
        (b"id: 2\n", b"id: 2\nretry: 1\n"),
        (b"Hello", "He\u2028o".encode()),
        (b"Hello", b"Hell\xff"),
        (b"event: thread.run.queued", b"event: thread.run.waiting"),
    ],
)
def test_each_byte_of_a_frame_counts(old, new):
    raw = written(EVENTS)
    assert old in raw
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        check(raw.replace(old, new, 1))


def test_frames_and_comments_are_told_apart():
    assert parse(": a\n: b\nid: 1\nevent: x\ndata: y\n\n") == [": a", ": b", Frame("x", "y", 1)]
    assert replace(DONE, number=1) != DONE
