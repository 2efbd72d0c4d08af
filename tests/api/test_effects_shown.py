"""Every field of assistants, threads, messages and runs that the API keeps is shown again."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from runs.inputs import serializers
from runs.inputs.bodies import Body
from tests.api.client import ok
from tests.api.effects import (
    ABOUT,
    ATTACHMENTS,
    CODE,
    FILE,
    FULL_WEATHER,
    IMAGE,
    PAIRS,
    PLAIN_IMAGE,
    RESOURCES,
    SCHEMA,
    SEARCH,
    WORDS,
    about,
    names,
)
from tests.api.routes import make_world
from tests.factories import text_part

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Shown:
    """A POST of ``body``; the answer, and what GET says afterwards, hold ``shown``."""

    fields: str
    case: str
    path: str
    body: dict[str, Any]
    shown: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ABOUT.update(self.fields.split())
        assert set(self.fields.split()) <= set(self.given()), self.fields

    def __str__(self) -> str:
        return f"{self.fields}: {self.case}"

    def given(self) -> list[str]:
        """All that its body holds."""
        kind: type[Body] = getattr(serializers, self.fields.split()[0].partition(".")[0])
        return list(names(kind(), self.body))


def as_given(body: str, path: str, least: dict[str, Any], **values: Any) -> list[Shown]:
    """Rows for fields that are shown as they were given, each alone."""
    return [
        Shown(f"{body}.{name}", "as given", path, least | {name: value}, {name: value})
        for name, value in values.items()
    ]


ASSISTANT = {
    "name": "n" * 256,
    "description": "d" * 512,
    "instructions": "",
    "tools": [FULL_WEATHER, SEARCH, CODE, {"type": "file_search"}],
    "tool_resources": RESOURCES,
    "metadata": PAIRS,
    "temperature": 2,
    "top_p": 0,
    "response_format": {"type": "text"},
    "reasoning_effort": "xhigh",
}
ASKED_WORDS = text_part("What is this?")
LEAST = {"model": "m"}
NOTHING_GIVEN = {
    "name": None,
    "description": None,
    "instructions": None,
    "tools": [],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "response_format": "auto",
    "reasoning_effort": None,
}
ONE_ASSISTANT = "assistants/{assistant_id}"
ONE_THREAD = "threads/{thread_id}"
MESSAGES = f"{ONE_THREAD}/messages"
SAID = {"role": "user", "content": "Hello"}

SHOWN = [
    *as_given("CreateAssistant", "assistants", LEAST, model="openai/gpt-4o:free", **ASSISTANT),
    Shown(
        " ".join(f"CreateAssistant.{name}" for name in ASSISTANT),
        "null is the default",
        "assistants",
        LEAST | dict.fromkeys(ASSISTANT),
        NOTHING_GIVEN,
    ),
    Shown(
        "CreateAssistant.tools",
        "code_interpreter comes with its resources",
        "assistants",
        LEAST | {"tools": [CODE]},
        {"tool_resources": {"code_interpreter": {"file_ids": []}}},
    ),
    *as_given("ModifyAssistant", ONE_ASSISTANT, {}, model="openai/gpt-4o:free", **ASSISTANT),
    *(
        row
        for form in ("auto", {"type": "json_object"}, SCHEMA)
        for row in (
            *as_given("CreateAssistant", "assistants", LEAST, response_format=form),
            *as_given("ModifyAssistant", ONE_ASSISTANT, {}, response_format=form),
        )
    ),
    Shown(
        "ModifyAssistant.metadata ModifyAssistant.tools",
        "replaced, not merged",
        ONE_ASSISTANT,
        {"metadata": {}, "tools": []},
        {"metadata": {}, "tools": [], "instructions": "Be brief."},
    ),
    Shown(
        " ".join(f"ModifyAssistant.{name}" for name in ("model", *ASSISTANT)),
        "null changes nothing",
        ONE_ASSISTANT,
        dict.fromkeys(["model", *ASSISTANT]),
        NOTHING_GIVEN | {"name": "Helper", "model": "gpt-4o", "instructions": "Be brief."},
    ),
    *as_given("CreateThread", "threads", {}, metadata=PAIRS, tool_resources=RESOURCES),
    Shown(
        "CreateThread.messages CreateThread.metadata CreateThread.tool_resources",
        "null is nothing",
        "threads",
        {"messages": None, "metadata": None, "tool_resources": None},
        {"metadata": {}, "tool_resources": {}},
    ),
    *as_given("ModifyThread", ONE_THREAD, {}, metadata=PAIRS, tool_resources=RESOURCES),
    *as_given("CreateMessage", MESSAGES, SAID, role="assistant", metadata=PAIRS),
    *as_given("CreateMessage", MESSAGES, SAID, attachments=ATTACHMENTS, role="user"),
    Shown(
        "CreateMessage.attachments CreateMessage.metadata",
        "null is nothing",
        MESSAGES,
        SAID | {"attachments": None, "metadata": None},
        {"attachments": [], "metadata": {}, "run_id": None, "assistant_id": None},
    ),
    Shown(
        "CreateMessage.content",
        "a string is one part",
        MESSAGES,
        SAID | {"content": "😀 " * 100},
        {"content": [text_part("😀 " * 100)]},
    ),
    Shown(
        "CreateMessage.content",
        "parts in order; text becomes an object",
        MESSAGES,
        SAID | {"content": [IMAGE, WORDS, FILE, PLAIN_IMAGE, WORDS]},
        {"content": [IMAGE, ASKED_WORDS, FILE, PLAIN_IMAGE, ASKED_WORDS]},
    ),
    *(
        row
        for detail in ("auto", "low", "high")
        for part in (
            {"type": "image_url", "image_url": {"url": "x", "detail": detail}},
            {"type": "image_file", "image_file": {"file_id": "x", "detail": detail}},
        )
        for row in as_given("CreateMessage", MESSAGES, SAID, content=[part])
    ),
    *as_given("ModifyMetadata", f"{MESSAGES}/{{message_id}}", {}, metadata=PAIRS),
    *as_given("ModifyMetadata", f"{ONE_THREAD}/runs/{{run_id}}", {}, metadata=PAIRS),
    Shown(
        "ModifyMetadata.metadata",
        "an empty one takes all away",
        f"{ONE_THREAD}/runs/{{run_id}}",
        {"metadata": {}},
        {"metadata": {}},
    ),
]  # fmt: skip


def test_what_is_given_is_shown(api, subtests):
    for row in SHOWN:
        with subtests.test(str(row)):
            world = make_world(api.project)
            path = "/v1/" + row.path.format(**world)
            answer = ok(api.post(path, row.body))
            assert {name: answer[name] for name in row.shown} == row.shown
            one = path if "{" in row.path.rpartition("/")[2] else f"{path}/{answer['id']}"
            assert ok(api.get(one)) == answer


@pytest.mark.parametrize(
    "path",
    [ONE_ASSISTANT, ONE_THREAD, f"{MESSAGES}/{{message_id}}", f"{ONE_THREAD}/runs/{{run_id}}"],
)
def test_what_is_modified_is_replaced_not_merged(api, path):
    one = "/v1/" + path.format(**make_world(api.project))
    fields: dict[str, list[Any]] = {"metadata": [{"a": "1", "b": "2"}, {"b": "3"}, {}]}
    if path == ONE_ASSISTANT:
        fields["tools"] = [[FULL_WEATHER, CODE], [SEARCH], []]
    for name, values in fields.items():
        for value in values:
            assert ok(api.post(one, {name: value}))[name] == value
            assert ok(api.get(one))[name] == value


@about("CreateThread.messages", "CreateMessage.role", "CreateMessage.content")
def test_first_messages_are_in_the_list_in_their_order(api):
    given = [{"role": role, "content": f"{n}"} for n, role in enumerate(["user", "assistant"] * 3)]
    thread = ok(api.post("/v1/threads", {"messages": given}))
    listed = ok(api.get(f"/v1/threads/{thread['id']}/messages?order=asc"))["data"]
    assert [(m["role"], m["content"]) for m in listed] == [
        (message["role"], [text_part(message["content"])]) for message in given
    ]
    assert {(m["run_id"], m["assistant_id"], m["status"]) for m in listed} == {
        (None, None, "completed")
    }
