"""Parameters with their effects: what is sent, what the API shows, what the model is asked.

A row says what the bodies of the assistant, the thread and the run hold, and then what the
ended run shows and what each turn asks of the upstream.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rest_framework.serializers import Field

from runs.inputs.bodies import Body, Tagged
from runs.inputs.fields import Items
from runs.inputs.serializers import PARTS, Content, CreateAssistant, CreateRun, CreateThread
from runs.inputs.serializers import CreateThreadAndRun as CreateBoth
from runs.providers.openai_compatible import OpenAICompatible
from tests.api.client import Api, ok
from tests.api.executing import executing
from tests.api.sse import Frame, Stream
from tests.factories import WEATHER
from tests.upstream import Upstream

Json = dict[str, Any]
Test = TypeVar("Test", bound=Callable[..., Any])

#: Stands for a part that must not be there at all.
ABSENT = object()
HELLO: Json = {"role": "user", "content": "Hello"}
CLOCK: Json = {"type": "function", "function": {"name": "get_time"}}
CALLS = "tools-1-then-text-1"  # a model that calls a tool, then answers

# What bodies hold in several tables.
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}
PLAIN_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
FILE = {"type": "image_file", "image_file": {"file_id": "file_1", "detail": "high"}}
WORDS = {"type": "text", "text": "What is this?"}
ATTACHMENTS = [
    {"file_id": "file_1", "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]},
    {"file_id": "file_2"},
]
FULL_WEATHER = {"type": "function", "function": WEATHER["function"] | {"strict": True}}
RANKING = {"ranker": 1, "score_threshold": "high", "other": None}  # not looked at
SEARCH = {
    "type": "file_search",
    "file_search": {"max_num_results": 50, "ranking_options": RANKING},
}
CODE = {"type": "code_interpreter"}
STORE = {"file_ids": 1, "chunking_strategy": ["static"], "metadata": "x", "other": None}  # nor that
RESOURCES = {
    "code_interpreter": {"file_ids": ["file_1"]},
    "file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [STORE]},
}
PAIRS = {"k" * 64: "v" * 512, "": ""} | {str(n): "v" for n in range(14)}
LONGEST_NAME = "aZ09_-" + "x" * 58
ODD = {
    "type": "function",
    "function": {"name": LONGEST_NAME, "description": "", "parameters": {"x": None}},
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": LONGEST_NAME,
        "description": "What it is.",
        "schema": {"x": {"default": None}},  # any object
        "strict": True,
    },
}

#: ``Body.field`` of all that a row or a test is about.
ABOUT: set[str] = set()


@dataclass(frozen=True)
class Effect:
    """What follows from the parameters ``fields`` ("CreateRun.top_p", several with blanks)."""

    fields: str
    case: str
    assistant: Json = field(default_factory=dict)
    thread: Json = field(default_factory=lambda: {"messages": [HELLO]})
    run: Json = field(default_factory=dict)
    shown: Json = field(default_factory=dict)
    #: For each turn, parts of the request that the upstream gets.
    asked: tuple[Json, ...] = ({},)
    #: Thread and run in one call.
    both: bool = False

    def __post_init__(self) -> None:
        ABOUT.update(self.fields.split())
        given = set(self.given())
        assert set(self.fields.split()) <= given, (self.fields, given)

    def __str__(self) -> str:
        return f"{self.fields}{' (both)' * self.both}: {self.case}"

    def given(self) -> Iterator[str]:
        """All that its bodies hold."""
        yield from names(CreateAssistant(), self.assistant_body())
        if self.both:
            yield from names(CreateBoth(), self.run_body("asst_1") | {"thread": self.thread})
        else:
            yield from names(CreateThread(), self.thread)
            yield from names(CreateRun(), self.run_body("asst_1"))

    def assistant_body(self) -> Json:
        """What the assistant is created with."""
        return {"model": "text-1"} | self.assistant

    def run_body(self, assistant_id: str) -> Json:
        """What the run is created with, but for its thread."""
        return {"assistant_id": assistant_id, "stream": True} | self.run


def names(kind: Field, value: Any) -> Iterator[str]:
    """``Body.field`` of each field in ``value``, those given as null too."""
    if isinstance(kind, Content):
        kind = Items(Tagged(PARTS)) if isinstance(value, list) else kind
    if isinstance(kind, Tagged) and isinstance(value, dict):
        kind = kind.bodies[value["type"]]()
    if isinstance(kind, Items) and isinstance(value, list):
        for item in value:
            yield from names(kind.child, item)
    elif isinstance(kind, Body) and isinstance(value, dict):
        for name, inner in value.items():
            yield f"{type(kind).__name__}.{name}"
            yield from names(kind.fields[name], inner)


def about(*fields: str) -> Callable[[Test], Test]:
    """Say which parameters a test is about that is no row of a table."""
    ABOUT.update(fields)
    return lambda test: test


@dataclass
class Story:
    """What happened: the ended run, and where it is."""

    run: Json
    frames: list[Frame | str]

    @property
    def url(self) -> str:
        """The run's own."""
        return f"/v1/threads/{self.run['thread_id']}/runs/{self.run['id']}"


async def create(api: Api, path: str, body: Any = None) -> Json:
    """Create an object; what GET says of it later is the same."""
    return ok(await api.acall("POST", f"/v1/{path}", body))  # type: ignore[arg-type]


async def follow(api: Api, path: str, body: Json) -> Story:
    """Make a streamed call and answer every tool call with "ok", to the run's end."""
    frames = await Stream.of(await api.acall("POST", path, body)).rest()
    story = Story(last_run(frames), frames)
    while story.run["status"] == "requires_action":
        calls = story.run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "ok"} for call in calls]
        more = await Stream.of(
            await api.acall(
                "POST",
                f"{story.url}/submit_tool_outputs",
                {"tool_outputs": outputs, "stream": True},
            )
        ).rest()
        story = Story(last_run(more), [*story.frames, *more])
    return story


def last_run(frames: list[Frame | str]) -> Json:
    """The run as the last event but ``done`` shows it."""
    shown = [frame for frame in frames if isinstance(frame, Frame)]
    assert shown[-1].name == "done"
    return shown[-2].wire


def working(upstream: Upstream) -> Any:
    """The engine at work, with this upstream behind it."""
    return executing(OpenAICompatible(upstream.url, "key"))


async def perform(api: Api, upstream: Upstream, effect: Effect) -> Story:
    """Do what a row says and check all that it says of the outcome. The engine is at work."""
    upstream.requests.clear()
    assistant = await create(api, "assistants", effect.assistant_body())
    body = effect.run_body(assistant["id"])
    if effect.both:
        story = await follow(api, "/v1/threads/runs", body | {"thread": effect.thread})
    else:
        thread = await create(api, "threads", effect.thread)
        story = await follow(api, f"/v1/threads/{thread['id']}/runs", body)
    later = ok(await api.acall("GET", story.url))  # type: ignore[arg-type]
    assert later == story.run
    check(story.run, {"status": "completed"} | effect.shown)
    assert len(upstream.requests) == len(effect.asked)
    for request, expected in zip(upstream.requests, effect.asked, strict=True):
        always = {"stream": True, "stream_options": {"include_usage": True}}
        check(request.body, always | expected)
    return story


def check(found: Json, expected: Json) -> None:
    """All parts are as expected, and of the same JSON types."""
    for name, value in expected.items():
        if value is ABSENT:
            assert name not in found, name
        else:
            assert found[name] == value, name
            assert type(found[name]) is type(value) or isinstance(value, int | float), name
