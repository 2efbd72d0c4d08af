"""What a turn asks the model: instructions, the thread, and the tool exchanges so far.

A prompt is made of exchanges, oldest first. An exchange is either one message of the
thread or one turn of a run: what the assistant said, the calls it made and their outputs.
Exchanges are kept or dropped whole, since upstreams refuse a call without its output.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs.contract.status import StepStatus
from runs.lifecycle.steps import EMPTY_TEXT
from runs.models import Message, Run, RunStep, ToolCall
from runs.models.database import now
from runs.providers.base import TurnRequest, estimate_tokens

Chat = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Messages for the upstream that belong together.

    ``spoken`` says that it counts as a message of the thread (``last_messages``); a turn
    that only called tools does not. ``kept`` ones are never dropped.
    """

    chats: list[Chat]
    spoken: bool
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to the model, the call ids this run has used up, and when it was ready."""

    request: TurnRequest
    used_ids: set[str]
    asked_at: datetime


class OverBudget(Exception):
    """A token limit of the run leaves no room for a turn; ``reason`` is the wire's."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def build(run: Run, context_tokens: int | None) -> Prompt:
    """The prompt of the run's next turn. Reads the thread; one database unit.

    Args:
        context_tokens: tokens that the model can hold, if known: the oldest exchanges are
            dropped to fit.

    Raises:
        OverBudget: ``max_prompt_tokens`` or ``max_completion_tokens`` is used up.
    """
    left = remaining(run, "max_completion_tokens", "completion_tokens")
    if left == 0:
        raise OverBudget("max_completion_tokens")
    calls = calls_by_step(run)
    exchanges = truncated(run, history(run, calls))
    system = [{"role": "system", "content": run.instructions}] if run.instructions else []
    exchanges = fitted(run, system, exchanges, context_tokens, left)
    used = {call.id for found in calls.values() for call in found if call.run_id == run.id}
    return Prompt(request(run, [*system, *flat(exchanges)], left), used, now())


def request(run: Run, messages: list[Chat], max_completion_tokens: int | None) -> TurnRequest:
    """The turn's request, with the run's settings in the shapes of chat completions."""
    tools = [offered(tool) for tool in run.tools if tool["type"] == "function"]
    return TurnRequest(
        model=run.model,
        messages=messages,
        tools=tools,
        tool_choice=chosen(run) if tools else None,
        parallel_tool_calls=run.parallel_tool_calls if tools else None,
        temperature=run.temperature,
        top_p=run.top_p,
        response_format=None if run.response_format == "auto" else run.response_format,
        reasoning_effort=run.reasoning_effort,
        max_completion_tokens=max_completion_tokens,
    )


def offered(tool: dict[str, Any]) -> dict[str, Any]:
    """A function tool without fields that were given as null."""
    function = {name: value for name, value in tool["function"].items() if value is not None}
    return {"type": "function", "function": function}


def chosen(run: Run) -> str | dict[str, Any] | None:
    """``tool_choice`` for this turn. A demand to call holds in the first turn only: the
    model could never answer otherwise."""
    choice: str | dict[str, Any] | None = run.tool_choice
    demands = choice == "required" or isinstance(choice, dict)
    if isinstance(choice, dict) and choice.get("type") != "function":
        return None  # a built-in tool, which is not offered
    return "auto" if demands and run.turn > 0 else choice


def remaining(run: Run, limit: str, used: str) -> int | None:
    """Tokens left of a limit over the whole run; None without a limit."""
    cap: int | None = getattr(run, limit)
    if cap is None:
        return None
    spent: int = run.usage[used] if run.usage else 0
    return max(0, cap - spent)


def history(run: Run, calls: dict[str, list[ToolCall]]) -> list[Exchange]:
    """The thread as exchanges, oldest first; this run's own turns last, and kept.

    What a lost attempt left behind is no part of it, nor are calls that nobody answered.
    """
    rows = Message.objects.filter(thread_id=run.thread_id, interrupted=False).order_by("number")
    # Not what is being written, nor what was cut off before its first word.
    messages = [message for message in rows if message.content not in ([], [EMPTY_TEXT])]
    steps = RunStep.objects.filter(
        run__thread_id=run.thread_id, interrupted=False, status=StepStatus.COMPLETED
    ).order_by("run__number", "turn", "index")
    turns = turns_by_run(steps)
    said = {message.id: message for message in messages}
    own = turns.pop(run.id, [])
    told = {step.message_id for found in (*turns.values(), own) for turn in found for step in turn}
    waiting = deque(sorted(turns.values(), key=begun))
    exchanges: list[Exchange] = []
    for message in messages:
        # A run's turns stand where its first message stands, or before the next message.
        while waiting and begun(waiting[0]) <= message.created_at:
            exchanges += run_exchanges(waiting.popleft(), said, calls, kept=False)
        if message.id not in told:
            exchanges.append(Exchange([chat(message)], spoken=True))
    for found in waiting:
        exchanges += run_exchanges(found, said, calls, kept=False)
    exchanges += run_exchanges(own, said, calls, kept=True)
    return [exchange for exchange in exchanges if exchange.chats]


def turns_by_run(steps: Iterable[RunStep]) -> dict[str, list[list[RunStep]]]:
    """Steps grouped by run and turn, in order."""
    runs: dict[str, list[list[RunStep]]] = {}
    for step in steps:
        turns = runs.setdefault(step.run_id, [])
        if turns and turns[-1][0].turn == step.turn:
            turns[-1].append(step)
        else:
            turns.append([step])
    return runs


def begun(turns: Sequence[Sequence[RunStep]]) -> datetime:
    """When a run's first turn began."""
    return turns[0][0].created_at


def run_exchanges(
    turns: Sequence[Sequence[RunStep]],
    said: dict[str, Message],
    calls: dict[str, list[ToolCall]],
    *,
    kept: bool,
) -> list[Exchange]:
    """A run's committed turns: text and calls of one turn are one assistant message."""
    exchanges = []
    for turn in turns:
        message = next((said[s.message_id] for s in turn if s.message_id in said), None)
        made = [call for step in turn for call in calls.get(step.id, ())]
        reply: Chat = chat(message) if message else {"role": "assistant", "content": None}
        if made:
            reply["tool_calls"] = [called(call) for call in made]
        elif message is None:
            continue
        outputs = [
            {"role": "tool", "tool_call_id": call.id, "content": call.output} for call in made
        ]
        exchanges.append(Exchange([reply, *outputs], spoken=message is not None, kept=kept))
    return exchanges


def calls_by_step(run: Run) -> dict[str, list[ToolCall]]:
    """The answered calls of all runs of the thread, by step."""
    found = ToolCall.objects.filter(run__thread_id=run.thread_id, output__isnull=False)
    calls: dict[str, list[ToolCall]] = {}
    for call in found.order_by("step_id", "index"):
        calls.setdefault(call.step_id, []).append(call)
    return calls


def called(call: ToolCall) -> Chat:
    """A call as the assistant made it."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def chat(message: Message) -> Chat:
    """A message in the shape of chat completions; text alone is a plain string."""
    parts = [chat_part(part, message.role) for part in message.content]
    if all(part["type"] == "text" for part in parts):
        return {"role": message.role, "content": "\n".join(part["text"] for part in parts)}
    return {"role": message.role, "content": parts}


def chat_part(part: dict[str, Any], role: str) -> Chat:
    """One content part.

    An image file has no bytes here; the model is told its name. Nor may the assistant's
    messages hold images: upstreams refuse them, so the model is told where each one is.
    """
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if part["type"] == "refusal":
        return {"type": "text", "text": part["refusal"]}
    if part["type"] == "image_url" and role == "user":
        return {"type": "image_url", "image_url": part["image_url"]}
    if part["type"] == "image_url":
        return {"type": "text", "text": f"[image {named(part['image_url']['url'])}]"}
    return {"type": "text", "text": f"[image file {part['image_file']['file_id']}]"}


def named(url: str) -> str:
    """An image's address as words: of one that holds the image itself, what kind it is."""
    return re.split("[;,]", url, maxsplit=1)[0] if url[:5].lower() == "data:" else url


def truncated(run: Run, exchanges: list[Exchange]) -> list[Exchange]:
    """The newest messages, if the run asks for only so many. Its own turns always stay."""
    strategy = run.truncation_strategy or {}
    if strategy.get("type") != "last_messages" or not strategy.get("last_messages"):
        return exchanges
    wanted = strategy["last_messages"]
    kept: list[Exchange] = []
    for exchange in reversed(exchanges):
        if not exchange.kept:
            if wanted == 0:
                break
            wanted -= exchange.spoken
        kept.append(exchange)
    return kept[::-1]


def fitted(
    run: Run,
    system: list[Chat],
    exchanges: list[Exchange],
    context_tokens: int | None,
    completion: int | None,
) -> list[Exchange]:
    """Drop the oldest exchanges until the estimate fits what the prompt may take.

    Raises:
        OverBudget: what must stay does not fit ``max_prompt_tokens``.
    """
    budget = remaining(run, "max_prompt_tokens", "prompt_tokens")
    room = None if context_tokens is None else context_tokens - min(completion or 512, 512)
    bounds = [bound for bound in (budget, room) if bound is not None]
    if not bounds:
        return exchanges
    size = estimate_tokens(system) + sum(estimate_tokens(e.chats) for e in exchanges)
    stay = must_stay(exchanges)
    kept = []
    for exchange in exchanges:
        if size > min(bounds) and not any(exchange is one for one in stay):
            size -= estimate_tokens(exchange.chats)
        else:
            kept.append(exchange)
    if budget is not None and size > budget:
        raise OverBudget("max_prompt_tokens")
    return kept


def must_stay(exchanges: list[Exchange]) -> list[Exchange]:
    """The run's own turns, and the last message of the user."""
    users = [e for e in exchanges if e.chats[0]["role"] == "user"]
    return [e for e in exchanges if e.kept] + users[-1:]


def flat(exchanges: Iterable[Exchange]) -> list[Chat]:
    """The chats of all exchanges in order."""
    return [chat for exchange in exchanges for chat in exchange.chats]
