"""openai-node at three ages against a live server: the same scenarios with each.

The scenarios are in ``node/scenarios``; all that differs between the ages is in ``node/ages.mjs``.
One Node process plays the selected scenarios of an age and prints a line of JSON for each. Behind
every scenario the log of each of its runs is held against the rules of streams (``rules.mjs``),
given to the newest SDK, and compared with what the scenario's own streams delivered.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live import LiveServer
from tests.upstream import Upstream
from tests.upstream_script import expected_text

pytestmark = [pytest.mark.sdk, pytest.mark.node]

NODE = Path(__file__).parent / "node"
#: By the name of the package under which each is installed.
AGES = {"4": "openai-4", "7": "openai-7", "newest": "openai"}
SCENARIOS = [
    name
    for path in sorted((NODE / "scenarios").glob("*.mjs"))
    for name in re.findall(r"^scenario\('([^']+)'", path.read_text(), re.MULTILINE)
]
#: For all scenarios of an age; less than faulthandler_timeout, which would end the whole suite.
ALL_SECONDS = 200
PLAIN = "text-60x50"  # 3 s


def node(age: str, live: LiveServer, upstream: Upstream, *command: str) -> tuple[str, str]:
    """What Node printed, out and error, whether it ended well or not."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    where = {"BASE_URL": live.base_url, "API_KEY": live.key, "UPSTREAM_URL": upstream.url}
    with subprocess.Popen(
        ["node", *command],
        cwd=NODE,
        env={**clean, **where, "OPENAI_AGE": age},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            return process.communicate(timeout=ALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, error = process.communicate()
            return out, f"{error}\nkilled after {ALL_SECONDS} s"


@dataclass
class Played:
    """What one age made of the scenarios."""

    version: str
    scenarios: list[str]
    results: dict[str, dict[str, Any]]
    stderr: str


@pytest.fixture(scope="session")
def play(
    request: pytest.FixtureRequest, live: LiveServer, upstream: Upstream
) -> Callable[[str], Played]:
    """The selected scenarios with an age, all in one process, once."""
    played: dict[str, Played] = {}

    def play(age: str) -> Played:
        if age not in played:
            params = [params_of(item) for item in request.session.items]
            names = [given["scenario"] for given in params if given.get("age") == age]
            out, error = node(age, live, upstream, "run.mjs", *names)
            lines = [json.loads(line) for line in out.splitlines()]
            assert lines, error
            first, *rest = lines
            results = {line["scenario"]: line for line in rest}
            played[age] = Played(first["version"], first["scenarios"], results, error)
        return played[age]

    return play


def params_of(item: pytest.Item) -> dict[str, Any]:
    """The age and scenario of a scenario's test; nothing of all others."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return params if "scenario" in params else {}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("age", AGES)
def test_scenario(
    play: Callable[[str], Played], age: str, scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    played = play(age)
    assert scenario in played.results, f"not played:\n{played.stderr}"
    result = played.results[scenario]
    if result["error"]:
        pytest.fail(f"openai-node {played.version}:\n{result['error']}", pytrace=False)
    if result["notes"]:
        with capsys.disabled():
            sys.stdout.write(f"\nopenai-node {played.version}, {scenario}: {result['notes']}\n")


@pytest.mark.parametrize("age", AGES)
def test_every_age_plays_every_scenario(play: Callable[[str], Played], age: str) -> None:
    assert play(age).scenarios == SCENARIOS


def test_the_ages_are_what_they_are_called(play: Callable[[str], Played]) -> None:
    locked = json.loads((NODE / "package-lock.json").read_text())["packages"]
    for age, package in AGES.items():
        assert play(age).version == locked[f"node_modules/{package}"]["version"]
    oldest, older, newest = ([int(n) for n in play(age).version.split(".")] for age in AGES)
    assert oldest[0] == 4
    assert [7, 0] <= older < [7, 5]
    assert newest > [7, 5]


@pytest.fixture(scope="module")
def interrupted(upstream: Upstream) -> Iterator[tuple[LiveServer, str, str]]:
    """A server that was killed in the middle of a run and is back; the ids of thread and run."""
    with (
        LiveServer(RUNSITE_UPSTREAM_URL=upstream.url, RUNSITE_LEASE_SECONDS="1") as server,
        httpx.Client(
            base_url=server.base_url, headers=server.headers(), trust_env=False, timeout=60
        ) as http,
    ):
        assistant = http.post("/assistants", json={"model": PLAIN}).json()["id"]
        body = {"assistant_id": assistant, "stream": True}
        with http.stream("POST", "/threads/runs", json=body) as reply:
            lines = reply.iter_lines()
            run = next(line for line in lines if line.startswith('data: {"id":"run_'))
            for _ in range(20):
                next(line for line in lines if line == "event: thread.message.delta")
            server.kill9()
        ids = json.loads(run.removeprefix("data: "))
        yield server.restart(), ids["thread_id"], ids["id"]


@pytest.mark.parametrize("age", AGES)
def test_a_run_that_was_taken_over(
    interrupted: tuple[LiveServer, str, str], upstream: Upstream, age: str
) -> None:
    """Its log holds the lost attempt and the one that counts; every age reads it to its end."""
    server, *run = interrupted
    out, error = node(age, server, upstream, "attached.mjs", *run)
    assert out, error
    seen = json.loads(out)
    assert seen["run"]["status"] == "completed"
    lost, whole = (message["content"][0]["text"]["value"] for message in seen["messages"])
    assert whole == expected_text(PLAIN)
    assert whole.startswith(lost)
    assert [step["status"] for step in seen["steps"]] == ["failed", "completed"]
    deltas = len(lost.split()) + len(whole.split())
    assert seen["called"].count("textDelta") == seen["called"].count("messageDelta") == deltas
    many = {"textDelta", "messageDelta", "run"}
    handled = [name for name in seen["called"] if "." not in name and name not in many]
    opened = ["runStepCreated", "messageCreated", "textCreated"]
    closed = ["textDone", "messageDone", "runStepDone"]
    assert handled == ["connect", *opened, *closed, *opened, *closed, "end"]
