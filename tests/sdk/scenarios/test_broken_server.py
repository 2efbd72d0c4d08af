"""A stream that breaks in the server itself: the SDK raises. (A run that fails is no error.)"""

import os

import pytest
from openai import APIError, APIStatusError, OpenAI, Stream
from openai.lib.streaming import AssistantStreamManager
from openai.types.beta import AssistantStreamEvent

from tests.sdk.scenarios.recorder import Recorder
from tests.sdk.scenarios.users import start, wait

SORRY = "The server had an error while processing your request. Sorry about that!"


def attach(client: OpenAI, path: str) -> Stream[AssistantStreamEvent]:
    """The stream of a run that is there already: Runsite's own operation."""
    return client.get(
        f"{path}/stream",
        cast_to=AssistantStreamEvent,
        stream=True,
        stream_cls=Stream[AssistantStreamEvent],
    )


def test_attach_with_a_handler(client: OpenAI) -> None:
    run = wait(client, start(client, "text-2"), "completed")
    path = f"/threads/{run.thread_id}/runs/{run.id}"
    with AssistantStreamManager(lambda: attach(client, path), event_handler=Recorder()) as handler:
        assert list(handler.text_deltas) == ["w0 ", "w1 "]
    assert handler.get_final_run() == run


def test_an_error_event_raises(client: OpenAI) -> None:
    """This run's log was damaged in the server's database."""
    path = os.environ["RUNSITE_BROKEN_RUN"]
    with pytest.raises(APIError, match=SORRY) as raised:
        list(attach(client, path))
    assert not isinstance(raised.value, APIStatusError)  # the answer itself was a 200
    assert raised.value.type == "server_error"
    assert raised.value.code is None
    with (
        pytest.raises(APIError, match=SORRY),
        AssistantStreamManager(lambda: attach(client, path), event_handler=Recorder()) as handler,
    ):
        handler.until_done()
    assert handler.called[-2:] == ["exception APIError", "end"]
