"""The events of a stream as JSON schemas: the names of the contract, with what they carry."""

from runs.api.openapi.schemas import (
    ANY_OBJECT,
    TEXT,
    WHOLE,
    Schema,
    array,
    closed,
    id_schema,
    nullable,
    ref,
    word,
)
from runs.contract import events, ids
from runs.contract.status import MessageStatus, RunStatus, StepStatus

NUMBER: Schema = {
    "type": "string",
    "pattern": "^[0-9]+$",
    "description": "Runsite's own: the number of the event, for `Last-Event-ID`. A frame without "
    "one has that of the frame before.",
}

TEXT_PIECE = closed(
    {
        "index": WHOLE,
        "type": word("text"),
        "text": closed(
            {"value": TEXT, "annotations": array(ANY_OBJECT, maxItems=0)}, ("annotations",)
        ),
    }
)
REFUSAL_PIECE = closed({"index": WHOLE, "type": word("refusal"), "refusal": TEXT})
MESSAGE_DELTA = closed(
    {
        "id": id_schema(ids.MESSAGE),
        "object": word("thread.message.delta"),
        "delta": closed({"content": array({"oneOf": [TEXT_PIECE, REFUSAL_PIECE]})}),
    },
    description="What a message grew by.",
)

CALL_PIECE = closed(
    {
        "index": WHOLE,
        "id": TEXT,
        "type": word("function"),
        "function": closed(
            {"name": TEXT, "arguments": TEXT, "output": nullable(TEXT)}, ("name", "output")
        ),
    },
    ("id",),
)
STEP_DELTA = closed(
    {
        "id": id_schema(ids.STEP),
        "object": word("thread.run.step.delta"),
        "delta": closed(
            {"step_details": closed({"type": word("tool_calls"), "tool_calls": array(CALL_PIECE)})}
        ),
    },
    description="What a tool call grew by.",
)


def event(name: str, data: Schema) -> Schema:
    """A frame as an object of its fields, as readers of streams have it: JSON stands in its
    ``data`` as a text. One without an ``id`` keeps that of the frame before."""
    text = TEXT | {"contentMediaType": "application/json", "contentSchema": data}
    return closed({"id": NUMBER, "event": word(name), "data": text}, ("id",))


def group(names: list[str], data: Schema, **deltas: Schema) -> Schema:
    """Events that carry the same kind of object."""
    whole = [event(name, data) for name in names]
    return {"oneOf": whole + [event(name, schema) for name, schema in deltas.items()]}


RUN_NAMES = [events.RUN_CREATED, *map(events.run_event, RunStatus)]
STEP_NAMES = [events.STEP_CREATED, *map(events.step_event, StepStatus)]
MESSAGE_NAMES = [events.MESSAGE_CREATED, *(f"thread.message.{status}" for status in MessageStatus)]

SCHEMAS: dict[str, Schema] = {
    "AssistantStreamEvent": {
        "description": "One frame of a stream: its `event`, its `data`, its `id`.",
        "oneOf": [
            ref("ThreadStreamEvent"),
            ref("RunStreamEvent"),
            ref("RunStepStreamEvent"),
            ref("MessageStreamEvent"),
            ref("ErrorEvent"),
            ref("DoneEvent"),
        ],
    },
    "ThreadStreamEvent": group([events.THREAD_CREATED], ref("ThreadObject")),
    "RunStreamEvent": group(RUN_NAMES, ref("RunObject")),
    "RunStepStreamEvent": group(
        STEP_NAMES, ref("RunStepObject"), **{events.STEP_DELTA: ref("RunStepDeltaObject")}
    ),
    "MessageStreamEvent": group(
        MESSAGE_NAMES, ref("MessageObject"), **{events.MESSAGE_DELTA: ref("MessageDeltaObject")}
    ),
    "ErrorEvent": event(events.ERROR, ref("StreamError"))
    | {"description": "The server itself broke. A run that fails is `thread.run.failed`."},
    "DoneEvent": closed({"id": NUMBER, "event": word(events.DONE), "data": word("[DONE]")}, ("id",))
    | {"description": "Always the last."},
    "MessageDeltaObject": MESSAGE_DELTA,
    "RunStepDeltaObject": STEP_DELTA,
}
