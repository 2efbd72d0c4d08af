"""Clients for Azure: another path, another header for the key, one more query parameter."""

from collections.abc import Iterator

import pytest
from openai import AuthenticationError, AzureOpenAI

from tests.sdk.scenarios.users import expected_text, text_of, thread_with

VERSION = "2024-05-01-preview"


@pytest.fixture
def azure(base_url: str, api_key: str) -> Iterator[AzureOpenAI]:
    """A user's client with nothing but endpoint and key changed."""
    endpoint = base_url.removesuffix("/v1")
    with AzureOpenAI(azure_endpoint=endpoint, api_version=VERSION, api_key=api_key) as client:
        yield client


def test_polled_and_streamed(azure: AzureOpenAI) -> None:
    model = "text-3"
    thread_id = thread_with(azure)
    assistant = azure.beta.assistants.create(model=model)
    run = azure.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant.id)
    assert run.status == "completed"
    with azure.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant.id) as stream:
        stream.until_done()
        assert [text_of(message) for message in stream.get_final_messages()] == [
            expected_text(model)
        ]
    pages = azure.beta.threads.messages.list(thread_id, limit=2)
    assert len(list(pages)) == 3


def test_a_wrong_key(azure: AzureOpenAI) -> None:
    with pytest.raises(AuthenticationError):
        azure.with_options(api_key="wrong").beta.threads.create()
