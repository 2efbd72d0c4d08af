"""openai-python at three ages against a live server: the same scenarios, unchanged, with each.

They are in ``scenarios/`` and run in a pytest of their own, with the Python in whose environment
that age of the SDK is installed; the youngest is the one of our own environment.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.live import LiveServer

pytestmark = [
    pytest.mark.sdk,
    pytest.mark.process,
    pytest.mark.ages,
]

ROOT = Path(__file__).resolve().parent.parent.parent
SCENARIOS = Path(__file__).resolve().parent / "scenarios"
#: Name of an age -> the requirement file that pins it, and the folder of its Python.
AGES = {
    "1": ("sdk-1", Path(sys.prefix) / "sdk-1"),
    "2": ("sdk-2", Path(sys.prefix) / "sdk-2"),
    "3": ("dev", Path(sys.prefix)),
}
#: For all scenarios of an age; less than faulthandler_timeout, which would end the whole suite.
#: On two cores shared with ten other programs they took 94 s.
ALL_SECONDS = 200


@dataclass
class Played:
    """What one age made of the scenarios."""

    exit_code: int | None
    printed: str
    version: str
    outcomes: dict[str, str]


@pytest.fixture(scope="module")
def broken_run(live: LiveServer) -> str:
    """The path of an ended run whose log in the server's database is no log any more."""
    with httpx.Client(base_url=live.base_url, headers=live.headers(), timeout=60) as http:
        assistant = http.post("/assistants", json={"model": "text-1"}).json()
        body = {"assistant_id": assistant["id"], "stream": True}
        stream = http.post("/threads/runs", json=body).text
    run = json.loads(re.findall(r"^data: ({.*)$", stream, re.MULTILINE)[-1])
    assert run["status"] == "completed"
    damage = (
        "from runs.models import EventChunk\n"
        f"chunks = EventChunk.objects.filter(run_id={run['id']!r}).order_by('first_number')\n"
        "last = chunks.last()\n"
        "last.body = 'not a frame' + chr(10) * 2\n"
        "last.save()"
    )
    done = live.manage("shell", "--no-imports", "-c", damage)
    assert done.returncode == 0, done.stderr
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def run_pytest(python: Path, environment: dict[str, str], printed: Path) -> int | None:
    """Run the scenarios; the exit code, or None if they did not end in time."""
    scenarios = ["-c", str(SCENARIOS / "pytest.ini"), str(SCENARIOS)]
    with printed.open("w") as output:
        try:
            return subprocess.run(
                [str(python), "-m", "pytest", "-q", *scenarios],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=ALL_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return None


@pytest.fixture(scope="module")
def play(
    live: LiveServer, broken_run: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Played]:
    """All scenarios with an age, once."""
    played: dict[str, Played] = {}

    def play(age: str) -> Played:
        if age not in played:
            folder = tmp_path_factory.mktemp(f"age-{age}")
            report, printed = folder / "report.json", folder / "printed"
            environment = {
                "PATH": os.environ["PATH"],
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "RUNSITE_BASE_URL": live.base_url,
                "RUNSITE_API_KEY": live.key,
                "RUNSITE_BROKEN_RUN": broken_run,
                "RUNSITE_SCENARIOS_REPORT": str(report),
            }
            exit_code = run_pytest(AGES[age][1] / "bin" / "python", environment, printed)
            told = json.loads(report.read_text()) if report.exists() else {}
            played[age] = Played(
                exit_code, printed.read_text(), told.get("openai", ""), told.get("outcomes", {})
            )
        return played[age]

    return play


@pytest.mark.parametrize("age", AGES)
def test_every_scenario_passes(play: Callable[[str], Played], age: str) -> None:
    result = play(age)
    assert result.exit_code == 0, result.printed
    assert result.outcomes, result.printed
    assert set(result.outcomes.values()) == {"passed"}, result.printed
    # With the age that is meant, not what is left of an earlier one.
    assert result.version.split(".")[0] == age
    pinned = (ROOT / "requirements" / f"{AGES[age][0]}.txt").read_text()
    assert re.findall(r"^openai==(\S+)", pinned, re.MULTILINE) == [result.version]


def test_every_age_plays_the_same(play: Callable[[str], Played]) -> None:
    first, *others = [play(age).outcomes for age in AGES]
    assert all(outcomes == first for outcomes in others)
