"""The scripted upstream itself, as a process of its own."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runs.providers.openai_compatible import OpenAICompatible
from tests.providers.turns import ask, ask_in_vain
from tests.upstream_script import expected_text, plan_of_model, text


@pytest.fixture
def own_process():
    """The base URL of an upstream in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.upstream", "--port", "0"],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process.stdout.readline().strip()
        process.kill()


@pytest.mark.process
async def test_a_process_of_its_own(own_process):
    provider = OpenAICompatible(own_process)
    async with httpx.AsyncClient(base_url=own_process.removesuffix("/v1")) as client:
        await client.post("/script", json={"queue": [[text("from the queue")]]})
        assert (await ask(provider, "text-2")).text == "from the queue"
        assert (await ask(provider, "text-2")).text == "w0 w1 "
        record = (await client.get("/requests")).json()
        assert [len(request["sent_at"]) for request in record] == [1, 2]
        assert [request["closed_at"] for request in record] == [None, None]
        await client.delete("/requests")
        assert (await client.get("/requests")).json() == []
        assert (await client.get("/elsewhere")).status_code == 404
    await provider.aclose()


async def test_an_unknown_model_is_not_found(provider):
    assert "knows no model part 'gpt-4o'" in (await ask_in_vain(provider, "gpt-4o")).message


def test_expected_texts():
    assert expected_text("tools-2-then-text-3x20") == "w0 w1 w2 "
    assert expected_text("text-2+tools-1-then-text-1", 0) == "w0 w1 "
    assert expected_text("status-500x2-then-text-1", 0) == "w0 "
    assert expected_text("refuse-3") == ""


@pytest.mark.parametrize("model", ["gpt-4o", "text", "text-2-tools", "texts-2"])
def test_names_that_mean_nothing(model):
    body = {"messages": []}
    if model == "text":
        assert len(plan_of_model(model, 0, body, 0)) == 1
    else:
        with pytest.raises(ValueError, match="knows no model part"):
            plan_of_model(model, 0, body, 0)
