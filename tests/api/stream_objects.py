"""What the events of a stream tell of a run, its steps and messages, checked one by one."""

from dataclasses import dataclass, field
from typing import Any

from runs.contract import events as known

Wire = dict[str, Any]


@dataclass
class Objects:
    """What a client knows of a run from its events, and which event may come next."""

    shown_more: bool = False
    run: Wire | None = None
    step: Wire | None = None  # that is open
    message: Wire | None = None  # that is open
    used: set[str] = field(default_factory=set)  # ids of steps and messages
    parts: list[Wire] = field(default_factory=list)  # of the open message, put together
    calls: list[Wire] = field(default_factory=list)  # of the open step, put together

    def take(self, name: str, wire: Wire) -> None:
        """One more event."""
        if name == known.THREAD_CREATED:
            assert wire["object"] == "thread"
            assert self.run is None
        elif name == known.MESSAGE_DELTA:
            self.message_delta(wire)
        elif name == known.STEP_DELTA:
            self.step_delta(wire)
        elif name.startswith("thread.message."):
            self.take_message(name, wire)
        elif name.startswith("thread.run.step."):
            self.take_step(name, wire)
        else:
            self.take_run(name, wire)

    def take_run(self, name: str, run: Wire) -> None:
        assert run["object"] == "thread.run"
        status = "queued" if name == known.RUN_CREATED else name.removeprefix("thread.run.")
        assert run["status"] == status
        if self.run is not None:
            assert {**run, **changing(self.run)} == self.run, "a setting of the run has changed"
        self.run = run
        ended = name in known.RUN_ENDS
        waits = name == known.RUN_REQUIRES_ACTION
        assert self.message is None or status == "cancelling"
        assert self.step is None or not ended
        assert (run["expires_at"] is None) == ended
        assert ended or run["usage"] is None
        assert (run["required_action"] is not None) == waits
        assert (run["cancelled_at"] is not None) == (status == "cancelled")
        assert (run["failed_at"] is not None) == (status == "failed")
        assert (run["completed_at"] is not None) == (status in ("completed", "incomplete"))
        assert (run["last_error"] is not None) == (status == "failed")
        assert (run["incomplete_details"] is not None) == (status == "incomplete")
        if waits:
            assert pending(run) == [
                {**call, "function": without(call["function"], "output")} for call in self.calls
            ]

    def take_step(self, name: str, step: Wire) -> None:
        status = name.removeprefix("thread.run.step.")
        assert step["object"] == "thread.run.step"
        assert step["status"] == ("in_progress" if status == "created" else status)
        assert self.run is None or step["run_id"] == self.run["id"]
        if status == "created":
            assert self.step is None, "a step is open"
            assert step["id"] not in self.used
            self.used.add(step["id"])
            self.step, self.calls = step, []
            return
        if self.step is None:  # the stream began inside it
            assert status == "completed"
            assert step["id"] not in self.used
            assert step["type"] == "tool_calls"
            self.calls = [with_output(call, None) for call in step["step_details"]["tool_calls"]]
            self.used.add(step["id"])
        else:
            assert step["id"] == self.step["id"]
            assert step["type"] == self.step["type"]
        if status == "in_progress":
            assert step == self.step, "nothing has changed yet"
            return
        assert self.message is None
        for ending in ("completed", "failed", "cancelled", "expired"):
            assert (step[f"{ending}_at"] is not None) == (status == ending)
        assert (step["last_error"] is not None) == (status == "failed")
        if step["type"] == "tool_calls":
            self.end_calls(status, step["step_details"]["tool_calls"])
        self.step = None

    def end_calls(self, status: str, calls: list[Wire]) -> None:
        """A tool step ends: with its calls, or without if the model never finished them."""
        assert status != "completed" or calls
        if calls:
            assert [with_output(call, None) for call in calls] == self.calls
        outputs = [call["function"]["output"] for call in calls]
        kind = str if status == "completed" else type(None)
        assert all(isinstance(output, kind) for output in outputs), outputs

    def take_message(self, name: str, message: Wire) -> None:
        status = name.removeprefix("thread.message.")
        assert message["object"] == "thread.message"
        assert message["status"] == ("in_progress" if status == "created" else status)
        assert message["role"] == "assistant"
        assert self.run is not None
        assert message["run_id"] == self.run["id"]
        assert message["assistant_id"] == self.run["assistant_id"]
        assert message["thread_id"] == self.run["thread_id"]
        if status == "created":
            assert self.message is None, "a message is open"
            assert message["id"] not in self.used
            assert self.step is not None
            details = {"message_id": message["id"]}
            assert self.step["step_details"]["message_creation"] == details
            assert message["content"] == []
            self.used.add(message["id"])
            self.message, self.parts = message, []
            return
        assert self.message is not None
        assert message["id"] == self.message["id"]
        if status == "in_progress":
            assert message == self.message, "nothing has changed yet"
            return
        self.end_message(status, message)
        self.message = None

    def end_message(self, status: str, message: Wire) -> None:
        """Its content is what the deltas said; openai-python wants at least one part."""
        assert (message["incomplete_details"] is not None) == (status == "incomplete")
        assert (message["incomplete_at"] is not None) == (status == "incomplete")
        assert (message["completed_at"] is not None) == (status == "completed")
        content = message["content"]
        assert len(content) >= max(len(self.parts), 1)
        if not self.parts:
            assert status == "incomplete"
            assert content == [{"type": "text", "text": {"value": "", "annotations": []}}]
        elif self.shown_more and status == "incomplete":
            assert words(self.parts).startswith(words(content))
        else:
            assert content == self.parts

    def message_delta(self, wire: Wire) -> None:
        assert set(wire) == {"id", "object", "delta"}
        assert wire["object"] == "thread.message.delta"
        assert self.message is not None, "no message is open"
        assert wire["id"] == self.message["id"]
        assert set(wire["delta"]) == {"content"}  # no id, no role
        assert wire["delta"]["content"]
        for part in wire["delta"]["content"]:
            index = part["index"]
            assert index in (len(self.parts) - 1, len(self.parts)), "an earlier part goes on"
            first = index == len(self.parts)
            if part["type"] == "text":
                assert set(part) == {"index", "type", "text"}
                # The first piece makes the part, so it has all that a text has.
                assert set(part["text"]) == ({"value", "annotations"} if first else {"value"})
                assert part["text"]["value"]
                assert part["text"].get("annotations", []) == []
            else:
                assert set(part) == {"index", "type", "refusal"}
                assert part["type"] == "refusal"
                assert part["refusal"]
            if first:
                self.parts.append(without(part, "index"))
            else:
                extend(self.parts[index], part)

    def step_delta(self, wire: Wire) -> None:
        assert set(wire) == {"id", "object", "delta"}
        assert wire["object"] == "thread.run.step.delta"
        assert self.step is not None, "no step is open"
        assert wire["id"] == self.step["id"]
        assert set(wire["delta"]) == {"step_details"}
        details = wire["delta"]["step_details"]
        assert set(details) == {"type", "tool_calls"}
        assert details["type"] == self.step["type"] == "tool_calls"
        for call in details["tool_calls"]:
            function = call["function"]
            if call["index"] == len(self.calls):
                assert set(call) == {"index", "id", "type", "function"}
                assert function == {"name": function["name"], "arguments": "", "output": None}
                assert call["id"] not in {other["id"] for other in self.calls}
                self.calls.append(without(call, "index"))
            else:
                assert call["index"] == len(self.calls) - 1, "an earlier call goes on"
                assert set(call) == {"index", "type", "function"}
                assert set(function) == {"arguments"}
                assert function["arguments"]
                own = self.calls[-1]["function"]
                self.calls[-1] = self.calls[-1] | {
                    "function": own | {"arguments": own["arguments"] + function["arguments"]}
                }
            assert call["type"] == "function"


def changing(run: Wire) -> Wire:
    """The fields of a run that may change while it goes on."""
    names = ("status", "started_at", "expires_at", "required_action", "last_error", "usage")
    ends = ("cancelled_at", "failed_at", "completed_at", "incomplete_details", "metadata")
    return {name: run[name] for name in (*names, *ends)}


def pending(run: Wire) -> list[Wire]:
    """The calls that a run waits for."""
    found: list[Wire] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return found


def with_output(call: Wire, output: str | None) -> Wire:
    """The call with another output."""
    return {**call, "function": {**call["function"], "output": output}}


def without(wire: Wire, name: str) -> Wire:
    """The object without one of its fields."""
    return {key: value for key, value in wire.items() if key != name}


def extend(part: Wire, piece: Wire) -> None:
    """Add a delta to what came before it, as the SDKs do."""
    assert part["type"] == piece["type"]
    if part["type"] == "text":
        part["text"]["value"] += piece["text"]["value"]
    else:
        part["refusal"] += piece["refusal"]


def words(parts: list[Wire]) -> str:
    """All that the parts of a message say."""
    return "".join(
        part["text"]["value"] if part["type"] == "text" else part["refusal"] for part in parts
    )
