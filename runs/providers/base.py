"""The contract between execution and the models: what is asked, what comes back piece by piece."""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

#: The three codes a run's ``last_error`` may carry (API reference, run object, ``last_error``).
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]

#: No tokenizer is shipped: English text and code come to about four characters per token.
CHARACTERS_PER_TOKEN = 4
IMAGE_TOKENS = 765  # 1024 x 1024 in full detail, by the vision guide of OpenAI


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn, as the upstream reports them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class TextPiece:
    text: str


@dataclass(frozen=True, slots=True)
class RefusalPiece:
    text: str


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A fragment of one function call.

    Fragments with the same ``index`` belong together and ``arguments`` are to be joined in
    order. The first fragment of an index carries ``call_id`` and ``name``, either of them None
    if the upstream never gives it; later ones carry None.
    """

    index: int
    call_id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The last piece of every turn that did not fail.

    ``reason`` is ``stop``, ``tool_calls``, ``length``, ``content_filter`` or whatever else the
    upstream said, verbatim. ``usage`` is None if the upstream reported none.
    """

    reason: str
    usage: Usage | None


Piece = TextPiece | RefusalPiece | CallPiece | TurnEnd


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """One request to a model, in the shapes of chat completions. None means "not said"."""

    model: str
    messages: list[dict[str, Any]]
    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    response_format: str | dict[str, Any] | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None


class UpstreamError(Exception):
    """The upstream did not give a whole turn.

    ``message`` is a sentence for the person who runs the server, free of known secrets.
    ``retryable`` says that the same request may succeed later; ``retry_after`` is the number
    of seconds the upstream asked for. Whether to retry is the caller's decision: never once a
    piece of the turn was shown to anybody.
    """

    def __init__(
        self,
        message: str,
        code: ErrorCode = "server_error",
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: ErrorCode = code
        self.retryable = retryable
        self.retry_after = retry_after


class Provider(Protocol):
    """A model that can be asked for turns; one instance serves the whole process."""

    #: Shown to people: "the local SmolLM2", "the upstream at api.example.com".
    name: str
    #: Tokens of prompt and answer together that the model can hold; None if not known.
    context_tokens: int | None

    def turn(self, request: TurnRequest) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of one turn as they arrive, ending with exactly one ``TurnEnd``.

        Closing the generator (``aclose``) closes the connection to the upstream at once.

        Raises:
            UpstreamError: while being iterated, if the turn cannot be had or breaks off.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and child processes; no turn may be asked for afterwards."""
        ...


def estimate_tokens(content: str | Sequence[dict[str, Any]]) -> int:
    """Return about how many tokens a text, or a list of messages, takes: characters / 4, and
    ``IMAGE_TOKENS`` for each image, which may stand in its address as a megabyte of letters."""
    if isinstance(content, str):
        return -(-len(content) // CHARACTERS_PER_TOKEN)
    images = [url for message in content for url in image_urls(message.get("content"))]
    characters = len(json.dumps(content, ensure_ascii=False)) - sum(map(len, images))
    return -(-characters // CHARACTERS_PER_TOKEN) + IMAGE_TOKENS * len(images)


def image_urls(content: Any) -> list[str]:
    """Return the addresses of the images in the content of a message."""
    parts = content if isinstance(content, list) else []
    return [part["image_url"].get("url", "") for part in parts if part.get("type") == "image_url"]
