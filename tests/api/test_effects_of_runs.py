"""Every setting that only a run has, but for its times: what is shown, what each turn asks."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.client import ok
from tests.api.effects import (
    ABSENT,
    CALLS,
    CLOCK,
    HELLO,
    Effect,
    about,
    perform,
    working,
)
from tests.factories import WEATHER

pytestmark = pytest.mark.slow

USER = {"role": "user", "content": "Hello"}
NAMED = {"type": "function", "function": {"name": "get_weather"}}


def choice(both: bool, given: Any, case: str, *asked: Any, **more: Any) -> Effect:
    """A row about ``tool_choice``: what each turn asks; ``both``: of thread and run in one call."""
    turns = tuple({"tool_choice": value, "parallel_tool_calls": True} for value in asked)
    run = {"model": CALLS, "tools": [WEATHER, CLOCK], "tool_choice": given} | more
    shown = {"tool_choice": "auto" if given is None else given}
    body = "CreateThreadAndRun" if both else "CreateRun"
    return Effect(f"{body}.tool_choice", case, run=run, shown=shown, asked=turns, both=both)


def choices(both: bool) -> Iterator[Effect]:
    """The rows about what ``tool_choice`` can be."""
    yield choice(both, None, "not given", ABSENT, ABSENT)
    yield choice(both, "auto", "auto", "auto", "auto")
    yield choice(both, "none", "none", "none", model="text-1")
    yield choice(both, "required", "required in the first turn only", "required", "auto")
    yield choice(both, NAMED, "a function in the first turn only", NAMED, "auto")
    for kind in ("file_search", "code_interpreter"):
        yield choice(both, {"type": kind}, "a built-in tool is not offered", ABSENT, ABSENT)


def budget(field: str, cap: int, case: str, model: str, *asked: Any, **more: Any) -> Effect:
    """A row about a token limit."""
    shown = {field: cap} | more.pop("shown", {})
    run = {"model": model, "tools": [WEATHER], field: cap}
    return Effect(f"CreateRun.{field}", case, run=run, shown=shown, asked=asked, **more)


def incomplete(reason: str) -> dict[str, Any]:
    """What a run shows that ended so."""
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


OVER_COMPLETION = incomplete("max_completion_tokens")
OVER_PROMPT = incomplete("max_prompt_tokens")
TALK = [{"role": role, "content": role[0] * 400} for role in ("user", "assistant", "user")]
TALK_END = [{"role": "user", "content": "u" * 400}]
#: Of the scripted upstream: 10 prompt tokens a message, one completion token a delta (3 a call).
OWN = [
    *(row for both in (False, True) for row in choices(both)),
    Effect(
        "CreateRun.tool_choice",
        "nothing to choose from",
        run={"tool_choice": "required", "tools": [], "parallel_tool_calls": False},
        shown={"tool_choice": "required", "parallel_tool_calls": False},
        asked=({"tools": ABSENT, "tool_choice": ABSENT, "parallel_tool_calls": ABSENT},),
    ),
    Effect(
        "CreateThreadAndRun.tool_choice CreateThreadAndRun.parallel_tool_calls",
        "as in a run of its own",
        {"tools": [WEATHER]},
        run={"model": CALLS, "tool_choice": "required", "parallel_tool_calls": False},
        shown={"tool_choice": "required", "parallel_tool_calls": False},
        asked=(
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
        both=True,
    ),
    *(
        Effect(
            "CreateRun.parallel_tool_calls",
            f"{given}",
            run={"tools": [WEATHER], "parallel_tool_calls": given},
            shown={"parallel_tool_calls": given is not False},
            asked=({"parallel_tool_calls": given is not False},),
        )
        for given in (True, False, None)
    ),
    budget(
        "max_completion_tokens",
        10,
        "what remains of it is asked for",
        "tools-1-then-tools-1-then-text-1",
        *({"max_completion_tokens": left, "max_tokens": ABSENT} for left in (10, 7, 4)),
    ),
    budget(
        "max_completion_tokens",
        3,
        "nothing remains for a second turn",
        CALLS,
        {"max_completion_tokens": 3},
        shown=OVER_COMPLETION,
    ),
    budget(
        "max_completion_tokens",
        5,
        "the model stops at it",
        "length-5",
        {"max_completion_tokens": 5},
        shown=OVER_COMPLETION,
    ),
    budget(
        "max_prompt_tokens",
        1000,
        "the upstream is not told",
        CALLS,
        *({"max_prompt_tokens": ABSENT, "max_completion_tokens": ABSENT},) * 2,
    ),
    budget(
        "max_prompt_tokens",
        12,
        "nothing remains for a second turn",
        CALLS,
        {"messages": [USER]},
        shown=OVER_PROMPT,
    ),
    budget(
        "max_prompt_tokens",
        70,  # the second turn's prompt is estimated at 67
        "what the first turn took counts in the second",
        CALLS,
        {"messages": [USER]},
        shown=OVER_PROMPT,
    ),
    budget("max_prompt_tokens", 5, "too small for the question", "text-1", shown=OVER_PROMPT),
    budget(
        "max_prompt_tokens",
        120,
        "the oldest messages are dropped",
        "text-1",
        {"messages": TALK_END},
        thread={"messages": TALK},
    ),
    Effect(
        "CreateThreadAndRun.max_prompt_tokens CreateThreadAndRun.max_completion_tokens",
        "as in a run of its own",
        run={"max_prompt_tokens": 120, "max_completion_tokens": 7},
        thread={"messages": TALK},
        shown={"max_prompt_tokens": 120, "max_completion_tokens": 7},
        asked=({"messages": TALK_END, "max_completion_tokens": 7},),
        both=True,
    ),
    Effect(
        "CreateRun.max_prompt_tokens CreateRun.max_completion_tokens",
        "null is no limit",
        run={"max_prompt_tokens": None, "max_completion_tokens": None},
        shown={"max_prompt_tokens": None, "max_completion_tokens": None},
        asked=({"max_completion_tokens": ABSENT},),
    ),
    *(
        Effect(
            "CreateRun.truncation_strategy",
            case,
            thread={"messages": TALK},
            run={"truncation_strategy": given},
            shown={"truncation_strategy": shown},
            asked=({"messages": kept, "truncation_strategy": ABSENT},),
        )
        for case, given, shown, kept in (
            ("null", None, {"type": "auto", "last_messages": None}, TALK),
            ("auto", {"type": "auto"}, {"type": "auto", "last_messages": None}, TALK),
            *(
                (f"the last {n}", strategy, strategy, TALK[-n:])
                for n in (1, 2, 99)
                for strategy in [{"type": "last_messages", "last_messages": n}]
            ),
        )
    ),
    Effect(
        "CreateThreadAndRun.truncation_strategy",
        "as in a run of its own",
        thread={"messages": TALK},
        run={"truncation_strategy": {"type": "last_messages", "last_messages": 1}},
        shown={"truncation_strategy": {"type": "last_messages", "last_messages": 1}},
        asked=({"messages": TALK_END},),
        both=True,
    ),
    *(
        Effect(
            f"{'CreateThreadAndRun' if both else 'CreateRun'}.metadata CreateAssistant.metadata "
            "CreateThread.metadata",
            case,
            {"metadata": {"of": "assistant"}},
            {"messages": [HELLO], "metadata": {"of": "thread"}},
            {"metadata": given},
            {"metadata": shown},
            ({"metadata": ABSENT},),
            both,
        )
        for both in (False, True)
        for case, given, shown in (("its own", {"a": "b"}, {"a": "b"}), ("not inherited", None, {}))
    ),
]


async def test_settings_of_a_run(api, upstream, subtests):
    async with working(upstream):
        for effect in OWN:
            with subtests.test(str(effect)):
                await perform(api, upstream, effect)


@about("CreateRun.on_active_run")
@pytest.mark.parametrize(
    ("given", "before", "status"),
    [
        (None, "queued", 400),
        ("reject", "queued", 400),
        ("queue", "queued", 200),
        ("cancel", "cancelled", 200),
    ],
)
def test_what_becomes_of_a_run_on_a_busy_thread(api, given, before, status):
    assistant = ok(api.post("/v1/assistants", {"model": "text-1"}))
    first = ok(api.post("/v1/threads/runs", {"assistant_id": assistant["id"]}))
    url = f"/v1/threads/{first['thread_id']}/runs"
    answer = api.post(url, {"assistant_id": assistant["id"], "on_active_run": given})
    assert answer.status_code == status
    assert ok(api.get(f"{url}/{first['id']}"))["status"] == before
    assert len(ok(api.get(url))["data"]) == (1 if status == 400 else 2)
