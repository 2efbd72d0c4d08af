"""Messages, their parts and files, and built-in tools: what of them reaches the model."""

from typing import Any

import pytest

from runs.models import Message
from runs.models.database import in_database
from tests.api.client import ok
from tests.api.effects import (
    ATTACHMENTS,
    CALLS,
    CLOCK,
    CODE,
    FILE,
    FULL_WEATHER,
    HELLO,
    IMAGE,
    PAIRS,
    PLAIN_IMAGE,
    RESOURCES,
    SEARCH,
    WORDS,
    Effect,
    create,
    follow,
    perform,
    working,
)
from tests.factories import WEATHER, text_part

pytestmark = pytest.mark.slow


def user(content: Any) -> dict[str, Any]:
    """The user's, as asked of an upstream."""
    return {"role": "user", "content": content}


def message(*content: Any, role: str = "user") -> dict[str, Any]:
    """A thread's first message, of these parts."""
    return {"messages": [{"role": role, "content": list(content)}, HELLO]}


CONTENT = "CreateThread.messages CreateMessage.content"
ADDED = [
    {"role": "assistant", "content": "One"},
    {"role": "user", "content": [IMAGE, WORDS], "attachments": ATTACHMENTS, "metadata": PAIRS},
]
ADDED_ASKED = [
    user("Hello"),
    {"role": "assistant", "content": "One"},
    user([IMAGE, WORDS]),
]
UNSEEN = "code_interpreter and file_search not offered to the model: not built yet"

ASKED = [
    Effect(
        CONTENT,
        "several texts are one",
        thread=message(WORDS, {"type": "text", "text": "And why?"}),
        asked=({"messages": [user("What is this?\nAnd why?"), user("Hello")]},),
    ),
    Effect(
        CONTENT,
        "images go as parts, with their detail",
        thread=message(WORDS, IMAGE, PLAIN_IMAGE),
        asked=({"messages": [user([WORDS, IMAGE, PLAIN_IMAGE]), user("Hello")]},),
    ),
    Effect(
        CONTENT,
        "of an image file goes its name",
        thread=message(WORDS, FILE),
        asked=({"messages": [user("What is this?\n[image file file_1]"), user("Hello")]},),
    ),
    Effect(
        CONTENT,
        "an image file beside an image",
        thread=message(FILE, IMAGE),
        asked=(
            {
                "messages": [
                    user([{"type": "text", "text": "[image file file_1]"}, IMAGE]),
                    user("Hello"),
                ]
            },
        ),
    ),
    Effect(
        f"{CONTENT} CreateMessage.role",
        "the assistant's images are told in words: upstreams take them of users alone",
        thread=message(WORDS, IMAGE, PLAIN_IMAGE, role="assistant"),
        asked=(
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": "What is this?\n[image https://x/y.png]\n[image data:image/png]",
                    },
                    user("Hello"),
                ]
            },
        ),
    ),
    Effect(
        "CreateMessage.attachments CreateMessage.metadata CreateThread.tool_resources",
        "kept, and not told",
        thread={
            "messages": [HELLO | {"attachments": ATTACHMENTS, "metadata": PAIRS}],
            "tool_resources": RESOURCES,
        },
        shown={"tool_resources": {}},
        asked=({"messages": [user("Hello")]},),
    ),
    *(
        Effect(
            "CreateRun.additional_instructions",
            case,
            {"instructions": first},
            run={"instructions": own, "additional_instructions": more},
            shown={"instructions": joined},
            asked=({"messages": [{"role": "system", "content": joined}, user("Hello")]},),
        )
        for case, first, own, more, joined in (
            ("after the assistant's", "A", None, "C", "A\n\nC"),
            ("after the run's own", "A", "B", "C\n", "B\n\nC\n"),
            ("alone", None, None, "C", "C"),
            ("null", "A", None, None, "A"),
            ("empty", "A", None, "", "A"),
        )
    ),
    Effect(
        "CreateRun.additional_messages",
        "at the end, in their order, with all that messages have",
        run={"additional_messages": ADDED},
        asked=({"messages": ADDED_ASKED},),
    ),
    Effect(
        "CreateRun.additional_messages",
        "null",
        run={"additional_messages": None},
        asked=({"messages": [user("Hello")]},),
    ),
    Effect(
        "CreateThreadAndRun.thread CreateThread.messages",
        "its messages are the prompt",
        thread={"messages": [HELLO, *ADDED], "metadata": {"a": "b"}},
        shown={"metadata": {}},
        asked=({"messages": ADDED_ASKED},),
        both=True,
    ),
    Effect(
        "CreateThreadAndRun.thread",
        "an empty thread",
        thread={},
        asked=({"messages": []},),
        both=True,
    ),
    *(
        Effect(
            "CreateAssistant.tool_resources" + " CreateThreadAndRun.tool_resources" * both,
            case,
            {"tool_resources": RESOURCES},
            run=given,
            shown={"tool_resources": shown},
            asked=({"messages": [user("Hello")]},),
            both=both,
        )
        for case, both, given, shown in (
            ("the assistant's", False, {}, RESOURCES),
            ("null is not given", True, {"tool_resources": None}, RESOURCES),
            (
                "the run's own",
                True,
                {"tool_resources": {"code_interpreter": {"file_ids": ["file_3"]}}},
                {"code_interpreter": {"file_ids": ["file_3"]}},
            ),
            ("none at all", True, {"tool_resources": {}}, {}),
        )
    ),
    Effect(
        "CreateRun.tools",
        "code_interpreter comes with its resources",
        run={"tools": [CODE]},
        shown={"tool_resources": {"code_interpreter": {"file_ids": []}}},
    ),
    Effect(
        "CreateRun.tools",
        "built-in tools are kept and not offered",
        {"tools": [CLOCK]},
        run={"tools": [CODE, FULL_WEATHER, SEARCH]},
        shown={"tools": [CODE, FULL_WEATHER, SEARCH]},
        asked=({"tools": [FULL_WEATHER]},),
    ),
]


async def test_what_reaches_the_model(api, upstream, subtests):
    async with working(upstream):
        for effect in ASKED:
            with subtests.test(str(effect)):
                await perform(api, upstream, effect)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_whose_tools_are_not_offered_says_so(api, stream):
    assistant = await create(api, "assistants", {"model": "text-1", "tools": [SEARCH, CODE]})
    body = {"assistant_id": assistant["id"], "stream": stream}
    answer = await api.acall("POST", "/v1/threads/runs", body)
    assert answer["x-runsite-warning"] == UNSEEN


async def test_additional_messages_are_in_the_list(api, upstream):
    row = next(row for row in ASKED if row.run.get("additional_messages"))
    async with working(upstream):
        story = await perform(api, upstream, row)
    url = f"/v1/threads/{story.run['thread_id']}/messages"
    *listed, answer = ok(await api.acall("GET", f"{url}?order=asc"))["data"]
    assert [(m["role"], m["content"]) for m in listed] == [
        ("user", [text_part("Hello")]),
        ("assistant", [text_part("One")]),
        ("user", [IMAGE, text_part("What is this?")]),
    ]
    assert (listed[2]["attachments"], listed[2]["metadata"]) == (ATTACHMENTS, PAIRS)
    assert {m["run_id"] for m in listed} == {None}
    assert (answer["run_id"], answer["role"]) == (story.run["id"], "assistant")
    assert answer["assistant_id"] == story.run["assistant_id"]


@pytest.mark.parametrize(
    ("count", "kept"),
    [
        (1, ["user"]),
        (2, ["assistant", "user"]),
        (3, ["user", "assistant+1", "tool", "assistant", "user"]),
    ],
)
async def test_last_messages_keep_a_tool_exchange_whole(api, upstream, count, kept):
    """The exchange of an earlier run goes with the messages around it, never in part."""
    assistant = await create(api, "assistants", {"model": CALLS, "tools": [WEATHER]})
    thread = await create(api, "threads", {"messages": [HELLO]})
    url = f"/v1/threads/{thread['id']}/runs"
    strategy = {"type": "last_messages", "last_messages": count}
    body = {"assistant_id": assistant["id"], "stream": True}
    async with working(upstream):
        await follow(api, url, body)
        await create(api, f"threads/{thread['id']}/messages", HELLO)
        await follow(api, url, body | {"truncation_strategy": strategy})
    first, second = upstream.requests[2:]
    told = [
        f"{m['role']}+{len(m['tool_calls'])}" if "tool_calls" in m else m["role"]
        for m in first.messages
    ]
    assert told == kept
    # The run's own exchange stays, however few messages were wanted.
    assert second.messages[: len(kept)] == first.messages
    assert [m["role"] for m in second.messages[len(kept) :]] == ["assistant", "tool"]


async def test_a_deleted_message_is_not_told(api, upstream):
    assistant = await create(api, "assistants", {"model": "text-1"})
    thread = await create(api, "threads", {"messages": [HELLO | {"content": "Secret"}, HELLO]})
    url = f"/v1/threads/{thread['id']}"
    first = await in_database(lambda: Message.objects.order_by("number").first())
    ok(await api.acall("DELETE", f"{url}/messages/{first.id}"))
    async with working(upstream):
        await follow(api, f"{url}/runs", {"assistant_id": assistant["id"], "stream": True})
    assert upstream.requests[0].messages == [user("Hello")]
