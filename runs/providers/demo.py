"""``runsite/demo``: a scripted model for trying things out and for integration tests.

It has no knowledge and no chance in it: the same thread gets the same answer. It first calls
every function it is offered, all in one turn, with arguments made from each function's JSON
schema; once the outputs are there it answers with a summary of them. Without functions it answers
at once. Words beginning with ``#`` in the last user message script it:

===================  ===========================================================================
``#call NAME JSON``  call this function with these arguments, instead of every one on offer;
                     to the end of the line; several lines are parallel calls
``#parallel N``      make N calls in a turn, going round the functions on offer
``#rounds N``        call in N turns, one after the other, before answering; 0: never call
``#delay MS``        wait so many milliseconds before each word and call
``#say TEXT``        answer with this text, to the end of the line
``#long N``          answer with N words
``#refuse``          answer with a refusal
``#length``          stop in the middle of the answer, as if at the token limit
``#filter``          stop in the middle of the answer, as if by a content filter
``#fail CODE``       fail instead of answering: ``server_error`` (unless told),
                     ``rate_limit_exceeded`` or ``invalid_prompt``
``#hang``            never answer
===================  ===========================================================================

``docs/demo.md`` says the same with examples.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal

from runs.providers.base import (
    CallPiece,
    ErrorCode,
    Piece,
    RefusalPiece,
    TextPiece,
    TurnEnd,
    TurnRequest,
    UpstreamError,
    Usage,
    estimate_tokens,
)
from runs.providers.examples import example_of

MODEL = "runsite/demo"

MAX_DELAY_MS = 60_000
MAX_WORDS = 100_000
MAX_CALLS = 128
MAX_ROUNDS = 100
QUOTED = 300  # characters of each output, and of the question, in an answer
ARGUMENTS_PIECE = 24  # characters of arguments in one piece, so that a stream shows fragments

DIRECTIVE = re.compile(
    r"(?:^|(?<=\s))\#(?:"
    r"(?P<word>parallel|rounds|delay|long)[ ]+(?P<number>\d{1,9})"
    r"|(?P<line>say|call)[ ]+(?P<text>[^\n]*)"
    r"|fail(?:[ ]+(?P<code>server_error|rate_limit_exceeded|invalid_prompt))?"
    r"|(?P<flag>refuse|length|filter|hang)"
    r")(?=\s|$)",
    re.VERBOSE,
)
WORD = re.compile(r"\s*\S+|\s+")

Call = tuple[str, str]  # name, arguments


@dataclass
class Script:
    """What the last user message asks of the demo model."""

    parallel: int | None = None
    rounds: int = 1
    delay: float = 0.0
    long: int | None = None
    say: str | None = None
    calls: list[Call] = field(default_factory=list)
    fail: ErrorCode | None = None
    flags: set[str] = field(default_factory=set)


class Demo:
    """The provider of ``runsite/demo``; it holds nothing between two turns."""

    name = "the built-in demo model"
    context_tokens: int | None = None

    async def aclose(self) -> None:
        """There is nothing to let go of."""

    async def turn(self, request: TurnRequest) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of one turn; see ``runs.providers.base.Provider.turn``."""
        question, outputs = last_exchange(request.messages)
        script = read_script(question)
        calls = calls_of_turn(request, script)
        if not calls and script.fail:
            raise UpstreamError(f"The demo model failed with {script.fail}, as told.", script.fail)
        if not calls and "hang" in script.flags:
            await asyncio.Event().wait()
        pieces: list[Piece]
        if calls:
            pieces, reason = call_pieces(calls), "tool_calls"
        else:
            pieces, reason = answer_pieces(request, script, question, outputs)
        for piece in pieces:
            await asyncio.sleep(script.delay)
            yield piece
        yield TurnEnd(reason, Usage(estimate_tokens(request.messages), len(pieces)))


def last_exchange(messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of the last user message and the messages after it."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place]["role"] == "user":
            return text_of(messages[place].get("content")), messages[place + 1 :]
    return "", messages


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if part.get("type") == "text")


def read_script(question: str) -> Script:
    """Return what the directives in ``question`` say; a later one wins over an earlier one."""
    script = Script()
    for match in DIRECTIVE.finditer(question):
        number = int(match["number"] or 0)
        if match["word"] == "parallel":
            script.parallel = min(number, MAX_CALLS)
        elif match["word"] == "rounds":
            script.rounds = min(number, MAX_ROUNDS)
        elif match["word"] == "delay":
            script.delay = min(number, MAX_DELAY_MS) / 1000
        elif match["word"] == "long":
            script.long = min(number, MAX_WORDS)
        else:
            read_text_directive(match, script)
    return script


def read_text_directive(match: re.Match[str], script: Script) -> None:
    if match["line"] == "say":
        script.say = match["text"].strip()
    elif match["line"] == "call":
        name, _, arguments = match["text"].strip().partition(" ")
        script.calls.append((name, arguments.strip() or "{}"))
    elif match["flag"]:
        script.flags.add(match["flag"])
    else:
        script.fail = error_code(match["code"])


def error_code(word: str | None) -> ErrorCode:
    known: tuple[Literal["rate_limit_exceeded", "invalid_prompt"], ...]
    known = ("rate_limit_exceeded", "invalid_prompt")
    return next((code for code in known if code == word), "server_error")


def calls_of_turn(request: TurnRequest, script: Script) -> list[Call]:
    """Return the calls to make in this turn, given the rounds of calls made since the question.

    ``tool_choice`` is obeyed; without parallel calls each one is a round of its own.
    """
    calls = calls_of_round(request, script)
    rounds = [calls] * script.rounds
    if request.parallel_tool_calls is False:
        rounds = [[call] for calls in rounds for call in calls]
    _, since = last_exchange(request.messages)
    made = sum(1 for message in since if message.get("tool_calls"))
    return rounds[made] if made < len(rounds) else []


def calls_of_round(request: TurnRequest, script: Script) -> list[Call]:
    if request.tool_choice == "none" or not request.tools:
        return []
    if script.calls:
        return script.calls
    functions = [tool["function"] for tool in request.tools]
    if isinstance(request.tool_choice, dict):
        chosen = request.tool_choice["function"]["name"]
        functions = [function for function in functions if function["name"] == chosen]
    calls = [
        (function["name"], json.dumps(example_of(function.get("parameters") or {"type": "object"})))
        for function in functions
    ]
    count = len(calls) if script.parallel is None else script.parallel
    return [calls[i % len(calls)] for i in range(count)] if calls else []


def call_pieces(calls: list[Call]) -> list[Piece]:
    """Return the calls in fragments; ids are left to whoever asked."""
    pieces: list[Piece] = []
    for index, (name, arguments) in enumerate(calls):
        fragments = [
            arguments[start : start + ARGUMENTS_PIECE]
            for start in range(0, len(arguments), ARGUMENTS_PIECE)
        ]
        pieces.append(CallPiece(index, None, name, fragments[0]))
        pieces.extend(CallPiece(index, None, None, fragment) for fragment in fragments[1:])
    return pieces


def answer_pieces(
    request: TurnRequest, script: Script, question: str, since: list[dict[str, Any]]
) -> tuple[list[Piece], str]:
    """Return the answer word by word, and the finish reason."""
    words = WORD.findall(answer(request, script, question, since))
    if "refuse" in script.flags:
        words = WORD.findall(script.say or "I was told to refuse, so I refuse.")
        return [RefusalPiece(word) for word in words], "stop"
    for flag, reason in (("filter", "content_filter"), ("length", "length")):
        if flag in script.flags:
            return [TextPiece(word) for word in words[: max(1, len(words) // 2)]], reason
    limit = request.max_completion_tokens
    if limit is not None and len(words) > limit:
        return [TextPiece(word) for word in words[:limit]], "length"
    return [TextPiece(word) for word in words], "stop"


def answer(request: TurnRequest, script: Script, question: str, since: list[dict[str, Any]]) -> str:
    if script.say is not None:
        return script.say
    if script.long is not None:
        return " ".join(f"word{number}" for number in range(1, script.long + 1))
    if isinstance(request.response_format, dict):
        schema = request.response_format.get("json_schema", {}).get("schema", {"type": "object"})
        return json.dumps(example_of(schema), ensure_ascii=False)
    if any(message["role"] == "tool" for message in since):
        return summary(since)
    said = f"You said: {shortened(question)}" if question else "You said nothing yet."
    return (
        "Hello, this is runsite/demo, a scripted model without any knowledge. "
        f"{said}\n\nGive me functions and I will call each of them once. Words like #long 200, "
        "#delay 50 or #fail in your message tell me what to do."
    )


def summary(since: list[dict[str, Any]]) -> str:
    """Return a sentence on each output: ``NAME answered: OUTPUT``."""
    names = {
        call["id"]: call["function"]["name"]
        for message in since
        for call in message.get("tool_calls") or ()
    }
    lines = [
        f"- {names.get(message['tool_call_id'], 'A function')} answered: "
        f"{shortened(text_of(message.get('content'))) or '(nothing)'}"
        for message in since
        if message["role"] == "tool"
    ]
    noun = "call was" if len(lines) == 1 else "calls were"
    return "\n".join([f"{len(lines)} {noun} answered:", "", *lines])


def shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
