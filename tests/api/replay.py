"""What the unmodified openai-python makes of the bytes of a stream."""

import warnings
from typing import Any

import httpx2  # what openai-python speaks HTTP with
from openai import AssistantEventHandler, OpenAI


class Handler(AssistantEventHandler):
    """Notes what its methods are told."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []
        self.calls: list[Any] = []

    def on_event(self, event: Any) -> None:
        self.names.append(event.event)

    def on_text_done(self, text: Any) -> None:
        self.texts.append(text.value)

    def on_tool_call_done(self, tool_call: Any) -> None:
        if tool_call not in self.calls:
            self.calls.append(tool_call)


def replay(raw: bytes) -> Handler:
    """Have the SDK read a stream to its end, with an event handler as users write them."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream; charset=utf-8"}
        return httpx2.Response(200, headers=headers, content=raw)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    handler = Handler()
    with OpenAI(api_key="key", base_url="http://test/v1", http_client=http) as client:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, of this whole API
            streaming = client.beta.threads.runs.stream(
                thread_id="thread_1", assistant_id="asst_1", event_handler=handler
            )
        with streaming as stream:
            stream.until_done()
    return handler
