"""What a run takes from its assistant, and that no parameter is without a row in a table.

The tables say what the API shows and what reaches the upstream. Settings that only a run has
are in ``test_effects_of_runs`` and ``test_effects_of_times``, messages in
``test_effects_of_messages``, and what the API keeps and shows in ``test_effects_shown``.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from runs.inputs import serializers, tools
from runs.inputs.bodies import Body
from tests.api import test_effects_of_times
from tests.api.client import ok
from tests.api.effects import (
    ABOUT,
    ABSENT,
    CALLS,
    CLOCK,
    HELLO,
    ODD,
    SCHEMA,
    Effect,
    about,
    create,
    follow,
    perform,
    working,
)
from tests.api.test_effects_of_messages import ASKED
from tests.api.test_effects_of_runs import OWN
from tests.api.test_effects_shown import SHOWN
from tests.factories import WEATHER
from tests.upstream_script import text

pytestmark = pytest.mark.slow

__all__ = ["test_effects_of_times"]  # it notes what its tests are about

USER = {"role": "user", "content": "Hello"}


def said(value: Any) -> dict[str, Any]:
    """What the upstream is told of instructions."""
    system = [{"role": "system", "content": value}] if value else []
    return {"messages": [*system, USER]}


def offered(value: Any) -> dict[str, Any]:
    """What the upstream is told of tools: without any, of how to call them neither."""
    if not value:
        return {"tools": ABSENT, "tool_choice": ABSENT, "parallel_tool_calls": ABSENT}
    return {"tools": value, "parallel_tool_calls": True}


def as_it_is(name: str) -> Any:
    """What the upstream is told where it is the same; "auto" and null mean: nothing."""
    return lambda value: {name: ABSENT if value in (None, "auto") else value}


#: field: the assistant's value, the run's values, what is shown without either, what is asked.
INHERITED: dict[str, tuple[Any, list[Any], Any, Any]] = {
    "model": ("text-1", ["text-2"], ABSENT, as_it_is("model")),
    "instructions": ("Be brief.", ["Be long.", ""], None, said),
    "tools": ([WEATHER], [[CLOCK], [CLOCK, WEATHER], [ODD], []], [], offered),
    "temperature": (0.2, [0, 2], 1.0, as_it_is("temperature")),
    "top_p": (0.3, [0, 1], 1.0, as_it_is("top_p")),
    "response_format": (
        {"type": "json_object"},
        ["auto", {"type": "text"}, {"type": "json_object"}, SCHEMA],
        "auto",
        as_it_is("response_format"),
    ),
    "reasoning_effort": ("low", ["high", "none"], None, as_it_is("reasoning_effort")),
}
#: Not in the body that creates thread and run at once (published schema).
NOT_IN_BOTH = ("reasoning_effort",)


def inherited() -> list[Effect]:
    """Each of these settings: given nowhere, by the assistant, by the run, by both, as null."""
    return [
        row
        for name, both in product(INHERITED, (False, True))
        if not (both and name in NOT_IN_BOTH)
        for row in inherited_rows(name, both)
    ]


def inherited_rows(name: str, both: bool) -> Iterator[Effect]:
    """The rows about one setting; ``both``: for thread and run in one call."""
    first, overs, default, asks = INHERITED[name]
    its = f"CreateAssistant.{name}"
    ours = f"{'CreateThreadAndRun' if both else 'CreateRun'}.{name}"

    def row(fields: str, case: str, assistant: Any, run: Any, shown: Any, asked: Any) -> Effect:
        given = {name: None if shown == "" else shown}
        return Effect(
            fields, case, assistant, run=run, shown=given, asked=(asks(asked),), both=both
        )

    yield row(its, "the assistant's", {name: first}, {}, first, first)
    yield row(f"{its} {ours}", "null is not given", {name: first}, {name: None}, first, first)
    for over in overs:
        case = f"{over!r:.20} overrides"
        yield row(f"{its} {ours}", case, {name: first}, {name: over}, over, over)
    if default is not ABSENT:
        yield row(ours, "the run's alone", {}, {name: overs[0]}, overs[0], overs[0])
        # A default is shown, and left to the upstream.
        yield row("CreateAssistant.model", f"no {name}", {}, {}, default, None)
        yield row(f"{its} {ours}", "null twice", {name: None}, {name: None}, default, None)


async def test_what_a_run_inherits(api, upstream, subtests):
    async with working(upstream):
        for effect in inherited():
            with subtests.test(str(effect)):
                await perform(api, upstream, effect)


@about("CreateRun.stream", "CreateThreadAndRun.stream", "SubmitToolOutputs.stream")
@pytest.mark.parametrize("stream", [True, False, None])
async def test_only_a_stream_that_is_wanted(api, upstream, stream):
    assistant = await create(api, "assistants", {"model": CALLS, "tools": [WEATHER]})
    thread = await create(api, "threads", {"messages": [HELLO]})
    body = {"assistant_id": assistant["id"], "stream": stream}
    url = f"/v1/threads/{thread['id']}/runs"
    kinds = []
    async with working(upstream):
        answer = await api.acall("POST", url, body)
        kinds.append(answer["content-type"])
        (run,) = ok(await api.acall("GET", url))["data"]
        one = f"{url}/{run['id']}"
        run = ok(await api.acall("GET", one, X_Stainless_Poll_Helper="true"))
        while run["status"] != "requires_action":
            assert run["status"] in ("queued", "in_progress")
            run = ok(await api.acall("GET", one, X_Stainless_Poll_Helper="true"))
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "ok"}]
        answer = await api.acall(
            "POST", f"{one}/submit_tool_outputs", {"tool_outputs": outputs, "stream": stream}
        )
        kinds.append(answer["content-type"])
        answer = await api.acall("POST", "/v1/threads/runs", body)
        kinds.append(answer["content-type"])
    expected = "text/event-stream; charset=utf-8" if stream else "application/json"
    assert kinds == [expected] * 3


@about(
    "SubmitToolOutputs.tool_outputs",
    "ToolOutput.tool_call_id",
    "ToolOutput.output",
    "CreateRun.assistant_id",
    "CreateThreadAndRun.assistant_id",
)
async def test_outputs_reach_the_model_in_the_order_of_the_calls(api, upstream):
    assistant = await create(api, "assistants", {"model": "tools-3-then-text-1", "tools": [CLOCK]})
    body = {"assistant_id": assistant["id"], "stream": True, "thread": {"messages": [HELLO]}}
    async with working(upstream):
        story = await follow(api, "/v1/threads/runs", body)
    assert story.run["assistant_id"] == assistant["id"]
    user, made, *outputs = upstream.requests[1].messages
    assert user == USER
    calls = [call["id"] for call in made["tool_calls"]]
    assert made == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": call,
                "type": "function",
                "function": {"name": "get_time", "arguments": f'{{"n": {n}}}'},
            }
            for n, call in enumerate(calls)
        ],
    }
    assert outputs == [{"role": "tool", "tool_call_id": call, "content": "ok"} for call in calls]


@pytest.mark.parametrize("body", ["CreateRun", "CreateThreadAndRun"])
async def test_a_model_may_have_any_name(api, upstream, body):
    upstream.play([text("Hi")])
    async with working(upstream):
        await perform(
            api,
            upstream,
            Effect(
                f"{body}.model",
                "with a vendor",
                run={"model": "openai/gpt-4o:free"},
                shown={"model": "openai/gpt-4o:free"},
                asked=({"model": "openai/gpt-4o:free"},),
                both=body == "CreateThreadAndRun",
            ),
        )


async def test_a_run_keeps_what_its_assistant_was_and_the_next_one_takes_what_it_is(api, upstream):
    assistant = await create(api, "assistants", {"model": CALLS, "tools": [WEATHER]})
    thread = await create(api, "threads", {"messages": [HELLO]})
    body = {"assistant_id": assistant["id"]}
    url = f"/v1/threads/{thread['id']}/runs"
    first = ok(await api.acall("POST", url, body))  # nothing is at work yet
    changed = {"model": "text-1", "instructions": "Be brief.", "tools": [CLOCK]}
    await create(api, f"assistants/{assistant['id']}", changed)
    ok(await api.acall("POST", f"{url}/{first['id']}/cancel"))
    async with working(upstream):
        second = (await follow(api, url, body | {"stream": True})).run
    assert (first["model"], first["instructions"], first["tools"]) == (CALLS, None, [WEATHER])
    assert {name: second[name] for name in changed} == changed


# --- completeness ---

#: The bodies of whole requests. Each of their fields is what some row is about; those of the
#: objects inside them are at least sent by one, and then shown or asked as a whole.
WHOLE: tuple[type[Body], ...] = (
    serializers.CreateAssistant,
    serializers.ModifyAssistant,
    serializers.CreateThread,
    serializers.ModifyThread,
    serializers.CreateMessage,
    serializers.ModifyMetadata,
    serializers.CreateRun,
    serializers.CreateThreadAndRun,
    serializers.SubmitToolOutputs,
)
#: Never sent as such; its fields belong to the two bodies that create runs.
ABSTRACT = {serializers.RunSettings}


def bodies() -> set[type[Body]]:
    """All kinds of objects in request bodies."""
    found = {
        kind
        for module in (serializers, tools)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Body)
    }
    return found - ABSTRACT - {Body}


def test_every_field_of_every_body_is_in_a_table():
    """A new field needs a row that says what it does."""
    rows = [*inherited(), *OWN, *ASKED, *SHOWN]  # making them notes what they are about
    whole = {f"{kind.__name__}.{name}" for kind in WHOLE for name in kind().fields}
    assert whole - ABOUT == set()
    sent = {name for row in rows for name in row.given()}
    every = {f"{kind.__name__}.{name}" for kind in bodies() for name in kind().fields}
    assert every - sent - ABOUT == set()
