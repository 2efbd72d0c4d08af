"""Handlers of streams that note every call of every method, in order, with what it was given."""

from typing import Any

from openai import AssistantEventHandler, AsyncAssistantEventHandler


def line(name: str, *given: Any) -> str:
    """One call as a line: the method's name without ``on_``, and what tells it from others."""
    words = [name]
    if name == "event":
        words.append(given[0].event)
    elif name == "exception":
        words.append(type(given[0]).__name__)
    elif name.startswith("text_"):
        words += [repr(text.value) for text in given]
    elif name.startswith("tool_call_"):
        words += [f"{call.function.name}({call.function.arguments})" for call in given]
    elif name.startswith(("message_done", "run_step_done")):
        words.append(given[0].status)
    return " ".join(words)


def noted(name: str) -> Any:
    """A method that notes its call."""

    def method(self: Any, *given: Any) -> None:
        self.lines.append(line(name, *given))

    return method


def async_noted(name: str) -> Any:
    """The same as a coroutine."""

    async def method(self: Any, *given: Any) -> None:
        self.lines.append(line(name, *given))

    return method


class Notes:
    """What a handler noted."""

    lines: list[str]

    @property
    def events(self) -> list[str]:
        """The wire's names of the events."""
        return [line.split()[1] for line in self.lines if line.startswith("event ")]

    @property
    def called(self) -> list[str]:
        """All calls but those of ``on_event``."""
        return [line for line in self.lines if not line.startswith("event ")]


#: Every method of a handler that a program may define, but those about image files.
METHODS = (
    "end",
    "event",
    "exception",
    "message_created",
    "message_delta",
    "message_done",
    "run_step_created",
    "run_step_delta",
    "run_step_done",
    "text_created",
    "text_delta",
    "text_done",
    "timeout",
    "tool_call_created",
    "tool_call_delta",
    "tool_call_done",
)


class Recorder(Notes, AssistantEventHandler):
    """For ``OpenAI``."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = []


class AsyncRecorder(Notes, AsyncAssistantEventHandler):
    """For ``AsyncOpenAI``."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = []


for name in METHODS:
    setattr(Recorder, f"on_{name}", noted(name))
    setattr(AsyncRecorder, f"on_{name}", async_noted(name))


def collapsed(names: list[str]) -> list[str]:
    """The names with repetitions of one and the same left out."""
    return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
