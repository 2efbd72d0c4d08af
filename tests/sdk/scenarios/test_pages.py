"""Lists, page by page as the SDK turns them by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.sdk.scenarios.users import function, outputs, start, thread_with, wait

COUNT = 5


@dataclass
class Listed:
    """The ids of one list, oldest first, and what its call is given."""

    ids: list[str]
    path: tuple[str, ...] = ()
    query: dict[str, str] | None = None

    def call(self, method: Callable[..., Any], **page: Any) -> Any:
        """The list's call, of either client."""
        return method(*self.path, **self.query or {}, **page)


#: Where a client has the call, from ``client.beta`` on.
METHODS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "assistants": lambda beta: beta.assistants.list,
    "messages": lambda beta: beta.threads.messages.list,
    "messages of a run": lambda beta: beta.threads.messages.list,
    "runs": lambda beta: beta.threads.runs.list,
    "steps": lambda beta: beta.threads.runs.steps.list,
}
every_list = pytest.mark.parametrize("name", METHODS)


@pytest.fixture(scope="module")
def lists(base_url: str, api_key: str) -> dict[str, Listed]:
    """Five of each. The assistants are made last: nobody makes a newer one meanwhile."""
    with OpenAI(base_url=base_url, api_key=api_key) as client:
        runs, threads = client.beta.threads.runs, client.beta.threads
        turns = [*["text-1+tools-1"] * (COUNT - 1), "text-1"]
        run = start(client, "-then-".join(turns), tools=[function("a")])
        thread_id = run.thread_id
        while (run := wait(client, run, "requires_action", "completed")).status != "completed":
            run = runs.submit_tool_outputs(run.id, thread_id=thread_id, tool_outputs=outputs(run))
        steps = runs.steps.list(run.id, thread_id=thread_id, order="asc", limit=100)
        texts = [step for step in steps if step.type == "message_creation"]
        busy = thread_with(client)
        assistant = client.beta.assistants.create(model="text-1")
        lines = threads.create()
        return {
            "messages": Listed(
                [
                    threads.messages.create(lines.id, role="user", content=f"Line {i}").id
                    for i in range(COUNT)
                ],
                (lines.id,),
            ),
            "messages of a run": Listed(
                [step.step_details.message_creation.message_id for step in texts],
                (thread_id,),
                {"run_id": run.id},
            ),
            "runs": Listed(
                [
                    runs.create_and_poll(thread_id=busy, assistant_id=assistant.id).id
                    for _ in range(COUNT)
                ],
                (busy,),
            ),
            "steps": Listed([step.id for step in steps], (run.id,), {"thread_id": thread_id}),
            "assistants": Listed(
                [client.beta.assistants.create(model="text-1").id for _ in range(COUNT)]
            ),
        }


def ids(page: Any) -> list[str]:
    """The ids of one page."""
    return [found.id for found in page.data]


@every_list
def test_every_page(client: OpenAI, lists: dict[str, Listed], name: str) -> None:
    listed, method = lists[name], METHODS[name](client.beta)
    newest = listed.ids[::-1]
    page = listed.call(method, limit=2)
    assert ids(page) == newest[:2]
    assert page.has_next_page()
    page = page.get_next_page()
    assert ids(page) == newest[2:4]
    # A loop goes on to the last page by itself; other assistants follow the five.
    found = [found.id for found in listed.call(method, limit=2, after=newest[1])]
    assert found[: len(newest) - 2] == newest[2:]
    assert len(found) == len(newest) - 2 or name == "assistants"
    found = [found.id for found in listed.call(method, limit=2, order="asc", after=listed.ids[0])]
    assert found == listed.ids[1:]


@every_list
def test_what_comes_before(client: OpenAI, lists: dict[str, Listed], name: str) -> None:
    listed, method = lists[name], METHODS[name](client.beta)
    oldest, newest = listed.ids, listed.ids[::-1]
    page = listed.call(method, limit=2, order="asc", before=oldest[3])
    assert ids(page) == oldest[1:3]
    page = listed.call(method, limit=2, order="desc", before=newest[3])
    assert ids(page) == newest[1:3]
    page = listed.call(method, before=newest[1])
    assert ids(page) == newest[:1]
    page = listed.call(method, before=newest[0])
    assert ids(page) == []


@every_list
@pytest.mark.anyio
async def test_every_page_async(
    async_client: AsyncOpenAI, lists: dict[str, Listed], name: str
) -> None:
    listed, method = lists[name], METHODS[name](async_client.beta)
    newest = listed.ids[::-1]
    page = await listed.call(method, limit=2)
    assert ids(page) == newest[:2]
    assert ids(await page.get_next_page()) == newest[2:4]
    found = []
    async for one in listed.call(method, limit=2, order="asc", after=listed.ids[0]):
        found.append(one.id)  # noqa: PERF401 # as a program has it
    assert found == listed.ids[1:]
    page = await listed.call(method, limit=2, before=newest[3])
    assert ids(page) == newest[1:3]
