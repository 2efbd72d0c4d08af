"""Chat completions over HTTP, streamed: any OpenAI-compatible endpoint.

Source: API reference, "Create chat completion" with ``stream``. How each misbehaviour of an
upstream ends is in the table of ``runs.providers.faults``.
"""

import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import httpx

from runs.providers import faults
from runs.providers.answer import Answer, read_error_body
from runs.providers.base import Piece, TurnRequest
from runs.providers.connections import Connections

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0

#: Options that some servers refuse, and the name to use instead (None: leave it away).
#: ``max_tokens`` is what ``max_completion_tokens`` was called until September 2024.
#: Reasoning models that make one call at a time refuse ``parallel_tool_calls``.
SUBSTITUTES = {
    "stream_options": None,
    "max_completion_tokens": "max_tokens",
    "parallel_tool_calls": None,
}


class OpenAICompatible:
    """One upstream; its connections are shared by all turns of the process and kept alive."""

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        *,
        name: str = "",
        context_tokens: int | None = None,
        read_seconds: float = READ_SECONDS,
        ca_file: str | None = None,
    ) -> None:
        """``base_url`` ends in ``/v1``; ``ca_file`` (PEM) is trusted besides the usual authorities.

        Raises:
            ValueError: the address or the key cannot be used; the message does not show the key.
        """
        url, key = checked_url(base_url), checked_key(api_key)
        self.name = name or f"the upstream at {url.host}"
        self.context_tokens = context_tokens
        self.read_seconds = read_seconds
        self.secrets = [secret for secret in (key, url.password) if secret]
        self.substituted: frozenset[str] = frozenset()
        self.client = httpx.AsyncClient(
            base_url=url,
            headers={
                "accept": "text/event-stream",
                "accept-encoding": "identity",
                **({"authorization": f"Bearer {key}"} if key else {}),
            },
            timeout=httpx.Timeout(read_seconds, connect=CONNECT_SECONDS, pool=None),
            transport=Connections(trust(url, ca_file)),
            trust_env=False,
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        await self.client.aclose()

    async def turn(self, request: TurnRequest) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of one turn; see ``runs.providers.base.Provider.turn``."""
        reply: httpx.Response | None = None
        try:
            reply = await self.open(request)
            async with aclosing(Answer(reply, request.model, self.secrets).pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        except httpx.TransportError as error:
            raise faults.fault_of_transport(
                error,
                answering=reply is not None,
                read_seconds=self.read_seconds,
                secrets=self.secrets,
            ) from error
        finally:
            if reply is not None:
                await reply.aclose()

    async def open(self, request: TurnRequest) -> httpx.Response:
        """Send the request and return a reply with status 200, its body still to be read.

        An upstream that refuses an option of ``SUBSTITUTES`` is asked once more without it, and
        from then on always.

        Raises:
            UpstreamError: any other status.
            httpx.TransportError: there was no reply.
        """
        substituted = self.substituted
        while True:
            reply = await self.send(request, substituted)
            if reply.status_code == HTTPStatus.OK:
                self.substituted |= substituted
                return reply
            words = faults.words_of(await read_error_body(reply))
            await reply.aclose()
            refused = refused_options(reply.status_code, words) - substituted - demands(request)
            if not refused:
                raise faults.fault_of_status(
                    reply.status_code, words, reply.headers, self.secrets, request.model
                )
            substituted |= refused

    async def send(self, request: TurnRequest, substituted: frozenset[str]) -> httpx.Response:
        body = json.dumps(body_of(request, substituted), ensure_ascii=False)
        http_request = self.client.build_request(
            "POST",
            "chat/completions",
            content=body.encode("utf-8", "replace"),
            headers={"content-type": "application/json"},
        )
        return await self.client.send(http_request, stream=True)


def checked_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL as error:
        raise ValueError(f"RUNSITE_UPSTREAM_URL is not an address: {error}.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("RUNSITE_UPSTREAM_URL must begin with http:// or https:// and a host.")
    return url


def checked_key(api_key: str) -> str:
    key = api_key.strip()  # a key from a file ends in a line feed
    if not (key.isascii() and key.isprintable()):
        raise ValueError("RUNSITE_UPSTREAM_KEY holds characters that cannot be sent in a header.")
    return key


def trust(url: httpx.URL, ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS settings: always verifying, by the usual authorities and ``ca_file``."""
    if url.scheme == "http":
        # Trusts nobody, and is not used; reading all authorities would block for up to 0.1 s.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def body_of(request: TurnRequest, substituted: frozenset[str]) -> dict[str, Any]:
    """Return the body of the HTTP request, without the options that were not said."""
    tools = list(request.tools)
    options: dict[str, Any] = {
        "model": request.model,
        "messages": request.messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": tools or None,
        # OpenAI refuses both where there are no tools.
        "tool_choice": request.tool_choice if tools else None,
        "parallel_tool_calls": request.parallel_tool_calls if tools else None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        # "auto" is a word of the Assistants API alone; it means what saying nothing means.
        "response_format": None if request.response_format == "auto" else request.response_format,
        "reasoning_effort": request.reasoning_effort,
        "max_completion_tokens": request.max_completion_tokens,
    }
    for option in substituted - demands(request):
        value = options.pop(option)
        if name := SUBSTITUTES[option]:
            options[name] = value
    return {name: value for name, value in options.items() if value is not None}


def demands(request: TurnRequest) -> frozenset[str]:
    """Return the options of ``SUBSTITUTES`` that this request cannot do without: saying
    nothing of parallel calls allows them."""
    single = request.parallel_tool_calls is False and bool(request.tools)
    return frozenset({"parallel_tool_calls"} if single else ())


def refused_options(status: int, words: str) -> frozenset[str]:
    """Return the options of ``SUBSTITUTES`` that a refusal is about."""
    if status not in faults.REFUSED_REQUEST:
        return frozenset()
    return frozenset(option for option in SUBSTITUTES if option in words)
