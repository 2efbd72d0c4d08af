"""What users of the retired service have in their programs, shared by these scenarios."""

import time
from typing import Any

from openai import OpenAI
from openai.types.beta.threads import Message, Run

from tests.upstream_script import expected_text

__all__ = [
    "answer",
    "expected_text",
    "function",
    "outputs",
    "start",
    "text_of",
    "thread_with",
    "wait",
]

#: Longer than anything here takes on the slowest machine.
PATIENCE_SECONDS = 60.0


def function(name: str) -> Any:
    """A tool with one number as its argument."""
    parameters = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def thread_with(client: OpenAI, content: str = "Hello") -> str:
    """The id of a new thread with one message of the user."""
    return client.beta.threads.create(messages=[{"role": "user", "content": content}]).id


def start(client: OpenAI, model: str, content: str = "Hello", **fields: Any) -> Run:
    """A run with an assistant, a thread and a message of its own."""
    assistant = client.beta.assistants.create(model=model)
    run: Run = client.beta.threads.create_and_run(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": content}]},
        **fields,
    )
    return run


def wait(client: OpenAI, run: Run, *statuses: str) -> Run:
    """Retrieve until the run has one of ``statuses``, as the API's guide showed it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while run.status not in statuses:
        assert time.monotonic() < deadline, run
        time.sleep(0.02)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def outputs(run: Run | None) -> list[Any]:
    """An answer to every call that a run waits for: the call's name, answered."""
    assert run is not None
    assert run.status == "requires_action"
    assert run.required_action is not None
    return [
        {"tool_call_id": call.id, "output": f"{call.function.name} answered"}
        for call in run.required_action.submit_tool_outputs.tool_calls
    ]


def answer(client: OpenAI, thread_id: str) -> str:
    """The text of the newest message of a thread."""
    return text_of(client.beta.threads.messages.list(thread_id, limit=1).data[0])


def text_of(message: Message) -> str:
    """The text of a message with one content part."""
    (part,) = message.content
    assert part.type == "text"
    return part.text.value
