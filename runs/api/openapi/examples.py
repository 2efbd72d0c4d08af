"""One story in examples: an assistant that asks for the weather. Each validates by its schema."""

import json
from typing import Any

from runs.api.openapi.schemas import Schema

Wire = dict[str, Any]

AT = 1_767_225_600  # 2026-01-01 00:00:00 UTC
ASSISTANT_ID = "asst_mB4kT9vXq2LsYw7RzD1cJh8N"
THREAD_ID = "thread_Pf6uG3eKx0WbVn5QtM9aZs2H"
MESSAGE_ID = "msg_Ry1oC7jLd4FqXk8TvB3mNw6E"
ANSWER_ID = "msg_Zk5sH2pUe9GtWc4JyV7bQn1A"
RUN_ID = "run_Dq8wE3rTy6UiOp1AsF4gHj7K"
STEP_ID = "step_Lx2zC5vBn8MaSd1FgH4jKq7W"
CALL_ID = "call_Nv9bM6cXz3LkJh2GfD5sAp8Q"

ALTOGETHER = {
    "prompt_tokens": 96,
    "completion_tokens": 21,
    "total_tokens": 117,
    "prompt_token_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
WEATHER: Wire = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASSISTANT: Wire = {
    "id": ASSISTANT_ID,
    "object": "assistant",
    "created_at": AT,
    "name": "Weather",
    "description": None,
    "model": "runsite/demo",
    "instructions": "Answer in one sentence.",
    "tools": [WEATHER],
    "top_p": 1.0,
    "temperature": 1.0,
    "reasoning_effort": None,
    "tool_resources": {},
    "metadata": {"team": "demo"},
    "response_format": "auto",
}
THREAD: Wire = {
    "id": THREAD_ID,
    "object": "thread",
    "created_at": AT + 1,
    "metadata": {"user": "42"},
    "tool_resources": {},
}
MESSAGE: Wire = {
    "id": MESSAGE_ID,
    "object": "thread.message",
    "created_at": AT + 2,
    "assistant_id": None,
    "thread_id": THREAD_ID,
    "run_id": None,
    "role": "user",
    "content": [
        {"type": "text", "text": {"value": "How is the weather in Oslo?", "annotations": []}}
    ],
    "attachments": [],
    "metadata": {},
    "status": "completed",
    "incomplete_details": None,
    "completed_at": AT + 2,
    "incomplete_at": None,
}
ANSWER: Wire = MESSAGE | {
    "id": ANSWER_ID,
    "created_at": AT + 5,
    "assistant_id": ASSISTANT_ID,
    "run_id": RUN_ID,
    "role": "assistant",
    "content": [{"type": "text", "text": {"value": "It is sunny in Oslo.", "annotations": []}}],
    "completed_at": AT + 5,
}
QUEUED: Wire = {
    "id": RUN_ID,
    "object": "thread.run",
    "created_at": AT + 3,
    "assistant_id": ASSISTANT_ID,
    "thread_id": THREAD_ID,
    "status": "queued",
    "started_at": None,
    "expires_at": AT + 603,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "required_action": None,
    "last_error": None,
    "incomplete_details": None,
    "model": "runsite/demo",
    "instructions": "Answer in one sentence.",
    "tools": [WEATHER],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "reasoning_effort": None,
    "max_prompt_tokens": None,
    "max_completion_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "usage": None,
}
CALL: Wire = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
WAITING: Wire = QUEUED | {
    "status": "requires_action",
    "started_at": AT + 3,
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": CALL_ID, "type": "function", "function": CALL}]
        },
    },
}
COMPLETED: Wire = QUEUED | {
    "status": "completed",
    "started_at": AT + 3,
    "completed_at": AT + 5,
    "expires_at": None,
    "usage": ALTOGETHER,
}
CANCELLED: Wire = QUEUED | {"status": "cancelled", "expires_at": None, "cancelled_at": AT + 4}
STEP: Wire = {
    "id": STEP_ID,
    "object": "thread.run.step",
    "created_at": AT + 3,
    "run_id": RUN_ID,
    "assistant_id": ASSISTANT_ID,
    "thread_id": THREAD_ID,
    "type": "tool_calls",
    "status": "completed",
    "cancelled_at": None,
    "completed_at": AT + 4,
    "expired_at": None,
    "expires_at": AT + 603,
    "failed_at": None,
    "last_error": None,
    "step_details": {
        "type": "tool_calls",
        "tool_calls": [{"id": CALL_ID, "type": "function", "function": CALL | {"output": "sunny"}}],
    },
    "usage": ALTOGETHER,
    "metadata": {},
}
DELTA: Wire = {
    "id": ANSWER_ID,
    "object": "thread.message.delta",
    "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "It is"}}]},
}
QUESTION: Wire = {"role": "user", "content": "How is the weather in Oslo?"}


def one(value: Wire, name: str = "example", summary: str = "") -> Schema:
    """A map with one example."""
    return {name: ({"summary": summary} if summary else {}) | {"value": value}}


def page(item: Wire) -> Schema:
    """A page of one object."""
    return one(
        {
            "object": "list",
            "data": [item],
            "first_id": item["id"],
            "last_id": item["id"],
            "has_more": False,
        }
    )


def deleted(item: Wire) -> Schema:
    """The answer to a deletion."""
    return one({"id": item["id"], "object": f"{item['object']}.deleted", "deleted": True})


RENAMED = {"metadata": {"ticket": "17"}}
START: Wire = {"assistant_id": ASSISTANT_ID}

#: Request bodies by operation.
BODIES: dict[str, Schema] = {
    "createAssistant": one(
        {
            "model": "runsite/demo",
            "name": "Weather",
            "instructions": "Answer in one sentence.",
            "tools": [WEATHER],
            "metadata": {"team": "demo"},
        }
    ),
    "modifyAssistant": one({"name": "Weather", "temperature": 1}),
    "createThread": one({"metadata": {"user": "42"}})
    | one({"messages": [QUESTION]}, "messages", "With first messages"),
    "modifyThread": one({"metadata": {"user": "42"}}),
    "createMessage": one(QUESTION)
    | one(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        "parts",
        "Text and an image",
    ),
    "modifyMessage": one(RENAMED),
    "createThreadAndRun": one(START | {"thread": {"messages": [QUESTION]}})
    | one(START | {"thread": {"messages": [QUESTION]}, "stream": True}, "stream", "Streamed"),
    "createRun": one(START)
    | one(START | {"stream": True}, "stream", "Streamed")
    | one(
        START
        | {
            "additional_instructions": "Say it in Norwegian.",
            "additional_messages": [QUESTION],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        },
        "additions",
        "With additions",
    )
    | one(
        START | {"on_active_run": "queue", "expires_in": 3600, "action_expires_in": 600},
        "own",
        "Runsite's own: in line, with clocks",
    ),
    "modifyRun": one(RENAMED),
    "submitToolOuputsToRun": one({"tool_outputs": [{"tool_call_id": CALL_ID, "output": "sunny"}]}),
}

#: 200 answers by operation; ``stream`` for all streams.
ANSWERS: dict[str, Schema] = {
    "listAssistants": page(ASSISTANT),
    "createAssistant": one(ASSISTANT),
    "getAssistant": one(ASSISTANT),
    "modifyAssistant": one(ASSISTANT),
    "deleteAssistant": deleted(ASSISTANT),
    "listThreads": page(THREAD),
    "createThread": one(THREAD),
    "getThread": one(THREAD),
    "modifyThread": one(THREAD),
    "deleteThread": deleted(THREAD),
    "listMessages": page(ANSWER),
    "createMessage": one(MESSAGE),
    "getMessage": one(MESSAGE),
    "modifyMessage": one(MESSAGE | RENAMED),
    "deleteMessage": deleted(MESSAGE),
    "createThreadAndRun": one(QUEUED),
    "listAllRuns": page(COMPLETED),
    "listRuns": page(COMPLETED),
    "createRun": one(QUEUED),
    "getRun": one(WAITING, "waiting", "Waits for tool outputs") | one(COMPLETED, "completed"),
    "modifyRun": one(COMPLETED | RENAMED),
    "cancelRun": one(CANCELLED),
    "submitToolOuputsToRun": one(QUEUED | {"started_at": AT + 3}),
    "listRunSteps": page(STEP),
    "getRunStep": one(STEP),
    "stream": one({"id": "7", "event": "thread.message.delta", "data": json.dumps(DELTA)}, "delta")
    | one({"event": "done", "data": "[DONE]"}, "done"),
}
