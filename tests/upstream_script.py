"""What the scripted upstream says: steps, plans made of them, and plans named by the model.

A plan is the list of steps of one answer; steps are plain JSON, so that a test can send them to
an upstream in another process. A model's name can say it all: its parts, joined by ``-then-``, are
the turns of one run, and the tool exchanges since the last user message tell which turn it is.

=================  ============================================================================
``text-200x10``    200 tokens with 10 ms between them; ``text-200`` without a pause
``tools-2``        two parallel calls of the tools on offer, arguments ``{"n": 0}``, ``{"n": 1}``
``text-3+tools-1``  text, then calls, in one turn
``refuse-3``       a refusal of 3 tokens
``length-5``       5 tokens, then finish reason ``length``; likewise ``filter-5``
``drop-5x10``      5 tokens, then the connection is cut; ``silent-5``: then nothing more comes
``status-500``     that status, always; ``status-500x2``: to the first two requests, then the rest
``hang``           no answer at all
=================  ============================================================================

For example ``tools-2-then-text-50x20``. Token i is ``"w{i} "`` in every text.
"""

import json
import re
from typing import Any

Step = dict[str, Any]
Plan = list[Step]

PART = re.compile(r"([a-z]+)(?:-(\d+)(?:x(\d+))?)?")
ENDINGS: dict[str, list[Step]] = {
    "text": [],
    "refuse": [],
    "length": [{"finish": "length"}],
    "filter": [{"finish": "content_filter"}],
    "drop": [{"drop": True}],
    "silent": [{"hang": True}],
}


def token(i: int) -> str:
    return f"w{i} "


def text(content: str, delay: float = 0.0) -> Step:
    """One chunk of text, sent ``delay`` seconds after the one before."""
    return {"delta": {"content": content}, "delay": delay}


def call(
    arguments: str | None = None,
    *,
    index: int | None = 0,
    call_id: str | None = None,
    name: str | None = None,
) -> Step:
    """One fragment of a call; what is None is left away."""
    function = {"name": name, "arguments": arguments}
    fragment = {
        "index": index,
        "id": call_id,
        "type": "function" if name else None,
        "function": {k: v for k, v in function.items() if v is not None},
    }
    return {"delta": {"tool_calls": [{k: v for k, v in fragment.items() if v is not None}]}}


def gate(name: str) -> Step:
    """Send nothing more until the test calls ``Upstream.open`` with this name."""
    return {"gate": name}


def finish(reason: str = "stop") -> Step:
    return {"finish": reason}


def usage(prompt: int, completion: int, **more: Any) -> Step:
    body = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return {"chunk": {"choices": [], "usage": {**body, "total_tokens": prompt + completion}}}


def chunk(body: Any) -> Step:
    """One event with ``body`` as its JSON, whatever that is."""
    return {"chunk": body}


def raw(content: str) -> Step:
    """These characters and nothing around them."""
    return {"raw": content}


def status(code: int, body: Any = "", **headers: str) -> Step:
    """A whole reply instead of a stream; ``retry_after="2"`` is the header ``retry-after``."""
    return {"status": code, "body": body, "headers": dashed(headers)}


def page(content: str = "<html><h1>Welcome</h1></html>") -> Step:
    return status(200, content, content_type="text/html; charset=utf-8")


def headers(**more: str) -> Step:
    """Headers of the stream itself; only as the first step."""
    return {"headers": dashed(more)}


def dashed(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}


DONE: Step = raw("data: [DONE]\n\n")
HANG: Step = {"hang": True}  # nothing more until the client goes away
DROP: Step = {"drop": True}  # cut the connection in mid-air
END: Step = {"end": True}  # end the body here: no finish reason, no usage, no [DONE]


def exchanges(messages: list[dict[str, Any]]) -> int:
    """Count the assistant messages with calls since the last user message."""
    count = 0
    for message in messages:
        if message["role"] == "user":
            count = 0
        elif message.get("tool_calls"):
            count += 1
    return count


def plan_of_model(model: str, number: int, body: dict[str, Any], asked: int) -> Plan:
    """Return the plan that a model's name stands for.

    ``number`` is this request's own, ``asked`` how often this model was asked before.
    """
    turns = model.split("-then-")
    while match := re.fullmatch(r"status-(\d+)(?:x(\d+))?", turns[0]):
        times = int(match[2]) if match[2] else asked + 1
        if asked < times:
            error = {"message": f"scripted {match[1]}", "type": "scripted", "code": None}
            return [status(int(match[1]), {"error": error})]
        asked -= times
        turns.pop(0)
    turn = turns[min(exchanges(body["messages"]), len(turns) - 1)]
    return [step for part in turn.split("+") for step in steps_of(part, number, body)]


def steps_of(part: str, number: int, body: dict[str, Any]) -> Plan:
    match = PART.fullmatch(part)
    if match is None:
        raise ValueError(f"The scripted upstream knows no model part {part!r}.")
    word, count, delay = match[1], int(match[2] or 1), int(match[3] or 0) / 1000
    if word == "hang":
        return [HANG]
    if word == "tools":
        return [step for i in range(count) for step in call_steps(i, number, body)]
    if word not in ENDINGS:
        raise ValueError(f"The scripted upstream knows no model part {part!r}.")
    key = "refusal" if word == "refuse" else "content"
    steps: Plan = [{"delta": {key: token(i)}, "delay": delay if i else 0} for i in range(count)]
    return steps + ENDINGS[word]


def call_steps(i: int, number: int, body: dict[str, Any]) -> Plan:
    """One whole call in three fragments, as OpenAI sends it."""
    tools = body.get("tools") or [{"function": {"name": "some_tool"}}]
    name = tools[i % len(tools)]["function"]["name"]
    first, second = call_arguments(i)[:3], call_arguments(i)[3:]
    return [
        call("", index=i, call_id=f"call_{number}_{i}", name=name),
        call(first, index=i),
        call(second, index=i),
    ]


def call_arguments(i: int) -> str:
    return json.dumps({"n": i})


def expected_text(model: str, turn: int = -1) -> str:
    """Return the whole text of one turn of a named model (the last one unless told)."""
    turns = [turn for turn in model.split("-then-") if not turn.startswith("status-")]
    parts = (PART.fullmatch(part) for part in turns[turn].split("+"))
    return "".join(
        token(i)
        for part in parts
        if part and part[1] in ENDINGS and part[1] != "refuse"
        for i in range(int(part[2] or 1))
    )


def broken_history(messages: list[dict[str, Any]]) -> str | None:
    """Return what OpenAI answers to a broken tool history; None if it is whole."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                return (
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'."
                )
            waiting.remove(message["tool_call_id"])
        elif waiting:
            break
        waiting = waiting or [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        return (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(waiting)
        )
    return None
